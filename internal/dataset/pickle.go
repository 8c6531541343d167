package dataset

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/pickle"
)

// What NumPy's arrays are in pickles: calls that are not made, but read.

// unpickle returns the value of a pickle of protocol 0 to 5, in which only arrays
// and plain values may be; texts and arrays stay where they are in the file.
func unpickle(in []byte) (any, error) {
	return pickle.Decode(in, func(g pickle.Global) bool {
		switch numpyName(g) {
		case "numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar", "numpy.core.numeric._frombuffer", "numpy.ndarray", "numpy.dtype",
			"collections.OrderedDict":
			return true
		}
		return false
	})
}

// numpyName is a name; NumPy 2 calls its module numpy._core.
func numpyName(g pickle.Global) string {
	return strings.Replace(g.String(), "numpy._core", "numpy.core", 1)
}

// pickledArray is an array; nil if v is something else.
func pickledArray(v any) (*npy.Raw, error) {
	c, ok := v.(*pickle.Call)
	if !ok {
		return nil, nil
	}
	switch numpyName(c.Func) {
	case "numpy.core.multiarray._reconstruct": // version, shape, type, Fortran order, bytes
		if s, _ := c.State.(pickle.Tuple); len(s) == 5 {
			return arrayOf(s[1], s[2], s[3] == int64(1) || s[3] == true, s[4])
		}
	case "numpy.core.numeric._frombuffer":
		if len(c.Args) == 4 {
			order, _ := pickle.Text(c.Args[3])
			return arrayOf(c.Args[2], c.Args[1], order == "F", c.Args[0])
		}
	default:
		return nil, nil
	}
	return nil, fmt.Errorf("an array that is damaged")
}

// pickledNumber is a whole number, also one of NumPy's; -1 if v is none.
func pickledNumber(v any) int64 {
	if n, ok := v.(int64); ok {
		return n
	}
	c, ok := v.(*pickle.Call)
	if !ok || numpyName(c.Func) != "numpy.core.multiarray.scalar" || len(c.Args) != 2 {
		return -1
	}
	a, err := arrayOf(pickle.Tuple{}, c.Args[0], false, c.Args[1])
	if err != nil {
		return -1
	}
	f := a.At(0)
	if n := int64(f); float64(n) == f {
		return n
	}
	return -1
}

func arrayOf(shape, kind any, fortran bool, data any) (*npy.Raw, error) {
	dims, ok1 := shape.(pickle.Tuple)
	descr, ok2 := descrOf(kind)
	b, ok3 := data.(pickle.Bytes)
	if !ok1 || !ok2 || !ok3 {
		return nil, fmt.Errorf("an array of objects, or damaged")
	}
	s := []int{}
	for _, d := range dims {
		n, ok := d.(int64)
		if !ok || n < 0 || n > 1<<31-1 {
			return nil, fmt.Errorf("an array of %v", dims)
		}
		s = append(s, int(n))
	}
	return npy.NewRaw(descr, s, fortran, b.Raw())
}

// descrOf is a numpy.dtype as NumPy writes it, with the byte order of its state.
func descrOf(v any) (string, bool) {
	c, ok := v.(*pickle.Call)
	if !ok || numpyName(c.Func) != "numpy.dtype" || len(c.Args) == 0 {
		return "", false
	}
	descr, ok := pickle.Text(c.Args[0])
	if s, _ := c.State.(pickle.Tuple); ok && len(s) >= 2 { // version, byte order, ...
		if order, _ := pickle.Text(s[1]); len(order) == 1 && !strings.ContainsAny(descr[:min(1, len(descr))], "<>|=") {
			descr = order + descr
		}
	}
	return descr, ok
}
