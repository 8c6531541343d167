package model

import (
	"fmt"
	"maps"
	"slices"
)

// UnaryOp is a function of one number x, called as in ONNX. Some have parameters,
// alpha and beta.
type UnaryOp string

const (
	UnaryAbs             UnaryOp = "Abs"
	UnaryNeg             UnaryOp = "Neg"
	UnarySqrt            UnaryOp = "Sqrt"
	UnaryExp             UnaryOp = "Exp"
	UnaryLog             UnaryOp = "Log"
	UnaryErf             UnaryOp = "Erf"
	UnaryReciprocal      UnaryOp = "Reciprocal" // 1/x
	UnarySin             UnaryOp = "Sin"
	UnaryCos             UnaryOp = "Cos"
	UnaryTan             UnaryOp = "Tan"
	UnaryAsin            UnaryOp = "Asin"
	UnaryAcos            UnaryOp = "Acos"
	UnaryAtan            UnaryOp = "Atan"
	UnarySinh            UnaryOp = "Sinh"
	UnaryCosh            UnaryOp = "Cosh"
	UnaryTanh            UnaryOp = "Tanh"
	UnaryAsinh           UnaryOp = "Asinh"
	UnaryAcosh           UnaryOp = "Acosh"
	UnaryAtanh           UnaryOp = "Atanh"
	UnaryFloor           UnaryOp = "Floor"
	UnaryCeil            UnaryOp = "Ceil"
	UnaryRound           UnaryOp = "Round"    // to the nearest, halves to the even one
	UnaryTruncate        UnaryOp = "Truncate" // to a whole number, towards 0
	UnarySign            UnaryOp = "Sign"
	UnarySigmoid         UnaryOp = "Sigmoid"
	UnaryRelu            UnaryOp = "Relu"            // x above 0, else 0
	UnarySoftplus        UnaryOp = "Softplus"        // log(1 + exp x)
	UnarySoftsign        UnaryOp = "Softsign"        // x/(1+|x|)
	UnaryMish            UnaryOp = "Mish"            // x tanh(softplus x)
	UnaryHardSwish       UnaryOp = "HardSwish"       // x times HardSigmoid of 1/6 and 1/2
	UnaryGelu            UnaryOp = "Gelu"            // x times the normal distribution
	UnaryGeluTanh        UnaryOp = "GeluTanh"        // its approximation by tanh
	UnaryLeakyRelu       UnaryOp = "LeakyRelu"       // alpha x below 0
	UnaryThresholdedRelu UnaryOp = "ThresholdedRelu" // x above alpha, else 0
	UnarySwish           UnaryOp = "Swish"           // x sigmoid(alpha x)
	UnaryElu             UnaryOp = "Elu"             // alpha (exp x - 1) below 0
	UnaryCelu            UnaryOp = "Celu"            // alpha (exp(x/alpha) - 1) below 0
	UnarySelu            UnaryOp = "Selu"            // beta x, and beta alpha (exp x - 1) below 0
	UnaryHardSigmoid     UnaryOp = "HardSigmoid"     // alpha x + beta within 0..1
	UnaryShrink          UnaryOp = "Shrink"          // nearer to 0 by alpha, and 0 within -beta..beta
	UnaryAffine          UnaryOp = "Affine"          // alpha x + beta
	UnaryScaledTanh      UnaryOp = "ScaledTanh"      // alpha tanh(beta x)
	UnaryNot             UnaryOp = "Not"             // 0 or 1, as are the next
	UnaryNotZero         UnaryOp = "NotZero"
	UnaryIsNaN           UnaryOp = "IsNaN"
	UnaryIsInf           UnaryOp = "IsInf" // plus infinity if alpha is not 0, minus if beta is not
)

// UnaryOps lists the functions that Unary knows.
func UnaryOps() []UnaryOp { return slices.Sorted(maps.Keys(unaryOps)) }

// ParseUnaryOp reads the name of a UnaryOp.
func ParseUnaryOp(s string) (UnaryOp, error) { return parseOp("function", UnaryOp(s), UnaryOps()) }

// BinaryOp is an operation on two numbers a and b, called as in ONNX.
type BinaryOp string

const (
	BinaryAdd            BinaryOp = "Add"
	BinarySub            BinaryOp = "Sub"
	BinaryMul            BinaryOp = "Mul"
	BinaryDiv            BinaryOp = "Div"
	BinaryPow            BinaryOp = "Pow"
	BinaryMax            BinaryOp = "Max"
	BinaryMin            BinaryOp = "Min"
	BinaryPRelu          BinaryOp = "PRelu" // a above 0, else a b
	BinaryMod            BinaryOp = "Mod"   // the remainder, with the sign of b
	BinaryFmod           BinaryOp = "Fmod"  // the remainder, with the sign of a
	BinaryEqual          BinaryOp = "Equal" // 0 or 1, as are the next
	BinaryGreater        BinaryOp = "Greater"
	BinaryGreaterOrEqual BinaryOp = "GreaterOrEqual"
	BinaryLess           BinaryOp = "Less"
	BinaryLessOrEqual    BinaryOp = "LessOrEqual"
	BinaryAnd            BinaryOp = "And"
	BinaryOr             BinaryOp = "Or"
	BinaryXor            BinaryOp = "Xor"
)

// BinaryOps lists the operations that Binary knows.
func BinaryOps() []BinaryOp { return slices.Sorted(maps.Keys(binaryOps)) }

// ParseBinaryOp reads the name of a BinaryOp.
func ParseBinaryOp(s string) (BinaryOp, error) { return parseOp("operation", BinaryOp(s), BinaryOps()) }

// ReduceOp says what Reduce makes of many numbers.
type ReduceOp string

const (
	ReduceSum       ReduceOp = "sum"
	ReduceMean      ReduceOp = "mean"
	ReduceMax       ReduceOp = "max"
	ReduceMin       ReduceOp = "min"
	ReduceProd      ReduceOp = "prod"
	ReduceL1        ReduceOp = "l1" // sum of absolute values
	ReduceL2        ReduceOp = "l2" // root of the sum of squares
	ReduceSumSquare ReduceOp = "sumsquare"
	ReduceLogSum    ReduceOp = "logsum"    // logarithm of the sum
	ReduceLogSumExp ReduceOp = "logsumexp" // logarithm of the sum of exponentials
	ReduceArgMax    ReduceOp = "argmax"    // index along one axis of the largest
	ReduceArgMin    ReduceOp = "argmin"    // and of the smallest
)

// ReduceOps lists the reductions that Reduce knows.
func ReduceOps() []ReduceOp {
	return slices.Concat(slices.Sorted(maps.Keys(reduceOps)), slices.Sorted(maps.Keys(argOps)))
}

// ParseReduceOp reads the name of a ReduceOp.
func ParseReduceOp(s string) (ReduceOp, error) { return parseOp("reduction", ReduceOp(s), ReduceOps()) }

// parseOp looks a name up; what is what it would be of.
func parseOp[T ~string](what string, op T, all []T) (T, error) {
	if !slices.Contains(all, op) {
		return "", fmt.Errorf("unknown %s %q, want one of %v", what, op, all)
	}
	return op, nil
}
