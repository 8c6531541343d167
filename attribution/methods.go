package attribution

import (
	"fmt"
	"strings"
)

// Method is a way to say what of an image, or where in it, a score comes from.
//
// Below, s is the target's score (before softmax or sigmoid), x the image in the
// network's units, A_k map k of a layer and g_k the gradient of s by it. A mean or a
// sum runs over a map. Positive means: more of it raises the score, unless the method
// is called unsigned. Maps of class activation methods are given before the final
// rectifier of their papers; Result.Plane applies it. A division by 0 gives 0, and
// nothing is added to a denominator.
type Method string

const (
	// Saliency is ds/dx, [C, H, W]. For display: the largest magnitude among the
	// channels. K. Simonyan, A. Vedaldi, A. Zisserman, Deep Inside Convolutional
	// Networks, 2013, section 3. Signed. Assumes that the score is about linear near x:
	// it says what a small change does, not what x contributes.
	Saliency Method = "saliency"
	// InputXGradient is x ds/dx, [C, H, W]. A. Shrikumar et al., Not Just a Black Box,
	// 2016, section 2. Signed. Assumes that 0 in the network's units means "nothing is there", and that
	// the score is about linear between 0 and x.
	InputXGradient Method = "inputxgradient"
	// IntegratedGradients is (x - b) times the mean of ds/dx on the line from the
	// baseline b to x, [C, H, W], by Request.Nodes nodes of Gauss and Legendre. M. Sundararajan,
	// A. Taly, Q. Yan, Axiomatic Attribution for Deep Networks, 2017, sections 3 and 5. Signed; adds up to
	// s(x) - s(b) but for Result.Residual. Assumes that the baseline means "nothing is there".
	IntegratedGradients Method = "ig"
	// SmoothGrad is the mean of a base method over copies of x with Gaussian noise.
	// D. Smilkov et al., SmoothGrad, 2017, section 3. Signs are the base's. Assumes that noise of
	// this size does not change what is seen.
	SmoothGrad Method = "smoothgrad"
	// SmoothGradSquared is the mean of the squares. S. Hooker et al., A Benchmark for
	// Interpretability Methods, 2019, section 3. Unsigned; assumes what SmoothGrad does.
	SmoothGradSquared Method = "smoothgrad2"
	// VarGrad is the variance over the n noisy copies, divided by n, not n - 1. J. Adebayo et al., Local Explanation
	// Methods for Deep Neural Networks Lack Sensitivity to Parameter Values, 2018, section 3. Unsigned;
	// assumes what SmoothGrad does.
	VarGrad Method = "vargrad"
	// Guided is guided backpropagation from the score, [C, H, W]. J. T. Springenberg
	// et al., Striving for Simplicity, 2014, section 3.4. Signed. It is no gradient: it shows what the
	// strongest units see, and depends little on the class (J. Adebayo et al., Sanity Checks, 2018).
	Guided Method = "guided"
	// Deconvnet is the deconvnet from the score, [C, H, W]: the way down of M. D. Zeiler
	// and R. Fergus, Visualizing and Understanding Convolutional Networks, 2014, section 2.1, for a class instead of one unit.
	// Signed. It is no gradient, and depends little on the class.
	Deconvnet Method = "deconvnet"
	// GradCAM is sum_k mean(g_k) A_k, [h, w]. R. R. Selvaraju et al., Grad-CAM, 2017,
	// section 3. Signed. Assumes that a map matters the same at all places.
	GradCAM Method = "gradcam"
	// GradCAMPlus is sum_k sum(a_k relu(g_k)) A_k with a_k = g_k^2 / (2 g_k^2 + sum(A_k) g_k^3),
	// [h, w]. A. Chattopadhay et al., Grad-CAM++, 2018, equation 19, without its common
	// factor exp(s). Signed where A is. Assumes that layers above are about linear; weighs several objects alike.
	GradCAMPlus Method = "gradcam++"
	// HiResCAM is sum_k g_k A_k place by place, [h, w]. R. L. Draelos, L. Carin, Use
	// HiResCAM instead of Grad-CAM, 2020, section 3. Signed. Of a network with one dense
	// layer above it is what each place adds to the score.
	HiResCAM Method = "hirescam"
	// XGradCAM is sum_k (sum(g_k A_k) / sum(A_k)) A_k, [h, w]. R. Fu et al.,
	// Axiom-based Grad-CAM, 2020, section 3. Signed. Assumes what GradCAM does.
	XGradCAM Method = "xgradcam"
	// LayerCAM is sum_k relu(g_k) A_k place by place, [h, w]. P.-T. Jiang et al.,
	// LayerCAM, 2021, section III. Signed where A is. Made for several layers, low ones too: see Request.Layers.
	LayerCAM Method = "layercam"
	// ScoreCAM is sum_k softmax_k(r_k) A_k, [h, w], with r_k = s(x m_k) - s(0), m_k being A_k
	// brought to the image's size and to 0..1. H. Wang et al., Score-CAM, 2020, section 3, algorithm 1.
	// Signed where A is. Takes no gradient; assumes that 0 in the network's units means "nothing is there".
	ScoreCAM Method = "scorecam"
	// AblationCAM is sum_k (s - s without A_k)/s A_k, [h, w], where "without" sets map k to 0.
	// S. Desai, H. G. Ramaswamy, Ablation-CAM, 2020, section 3. Signed; the sign turns if
	// s is negative. Takes no gradient; assumes that a map of zeros means "nothing is there".
	AblationCAM Method = "ablationcam"
	// RISE is the mean of random masks, each weighed with the class's probability under
	// it, [H, W], divided by the share of a mask that is open. V. Petsiuk, A. Das, K. Saenko, RISE, 2018, section 3. Unsigned.
	// Needs no look inside; assumes that 0 in the network's units means "nothing is there".
	RISE Method = "rise"
	// Occlusion is the mean loss of the class's probability over the patches that cover a
	// pixel, [H, W]. M. D. Zeiler, R. Fergus, 2014, section 4.2; see package occlusion. Signed: positive where covering
	// lowers the probability. Assumes that the patch's fill means "nothing is there".
	Occlusion Method = "occlusion"
)

// family is how a method is computed.
type family int

const (
	ofInput  family = iota // one way down to the input
	ofLayer                // one way down to a layer
	ofPath                 // many ways down
	ofNoise                // of another method, many times
	ofMasks                // forward passes only, at a layer
	ofPixels               // forward passes only, at the input
)

// kindOf is what there is to know about a method.
type kindOf struct {
	method   Method
	title    string
	family   family
	unsigned bool
	sequence bool // drawn without sign
	formula  string
	other    []string // other spellings
}

var table = []kindOf{
	{Saliency, "Saliency", ofInput, false, true, "largest magnitude of ds/dx among the channels", []string{"gradient"}},
	{InputXGradient, "Input x gradient", ofInput, false, false, "x ds/dx, summed over the channels", []string{"ixg", "gradientxinput"}},
	{IntegratedGradients, "Integrated gradients", ofPath, false, false, "(x - baseline) times the mean ds/dx between, summed over the channels", []string{"integratedgradients"}},
	{SmoothGrad, "SmoothGrad", ofNoise, false, true, "mean over noisy copies", nil},
	{SmoothGradSquared, "SmoothGrad squared", ofNoise, true, true, "mean square over noisy copies", []string{"smoothgradsquared", "smoothgradsq"}},
	{VarGrad, "VarGrad", ofNoise, true, true, "variance over noisy copies", nil},
	{Guided, "Guided backpropagation", ofInput, false, false, "guided backpropagation from the score, summed over the channels", []string{"guidedbackprop", "guidedbackpropagation"}},
	{Deconvnet, "Deconvnet", ofInput, false, false, "deconvnet from the score, summed over the channels", []string{"deconv"}},
	{GradCAM, "Grad-CAM", ofLayer, false, true, "maps weighted with their mean gradient", nil},
	{GradCAMPlus, "Grad-CAM++", ofLayer, false, true, "maps weighted with their positive gradients", []string{"gradcampp", "gradcamplusplus"}},
	{HiResCAM, "HiResCAM", ofLayer, false, true, "maps times gradients", nil},
	{XGradCAM, "XGrad-CAM", ofLayer, false, true, "maps weighted with their gradients' mean where they are active", nil},
	{LayerCAM, "LayerCAM", ofLayer, false, true, "maps times positive gradients", nil},
	{ScoreCAM, "Score-CAM", ofMasks, false, true, "maps weighted with the score of what they show", nil},
	{AblationCAM, "Ablation-CAM", ofMasks, false, true, "maps weighted with what the score loses without them", nil},
	{RISE, "RISE", ofPixels, true, true, "random masks weighted with the probability", nil},
	{Occlusion, "Occlusion", ofPixels, false, false, "mean drop in probability under a patch", nil},
}

func (m Method) info() kindOf {
	for _, k := range table {
		if k.method == m {
			return k
		}
	}
	return kindOf{method: m, title: string(m)}
}

// Methods lists all methods.
func Methods() []Method {
	var out []Method
	for _, k := range table {
		out = append(out, k.method)
	}
	return out
}

// withoutLayer names the methods that make their map from no layer's.
func withoutLayer() (out []string) {
	for _, k := range table {
		if !k.method.AtLayer() {
			out = append(out, string(k.method))
		}
	}
	return out
}

// ParseMethod reads a method's name. Capitals, spaces, hyphens and underscores do not matter.
func ParseMethod(s string) (Method, error) {
	plain := strings.NewReplacer(" ", "", "-", "", "_", "", "×", "x", "²", "2").Replace(strings.ToLower(s))
	var names []string
	for _, k := range table {
		names = append(names, string(k.method))
		for _, name := range append(k.other, string(k.method)) {
			if name == plain {
				return k.method, nil
			}
		}
	}
	return "", fmt.Errorf("no method %q: there are %s", s, strings.Join(names, ", "))
}

// Title is the method's name as its authors write it.
func (m Method) Title() string { return m.info().title }

// Formula says in a few words what Result.Plane shows.
func (m Method) Formula() string { return m.info().formula }

// AtLayer reports whether the method makes its map from a layer's maps.
func (m Method) AtLayer() bool { return m.info().family == ofLayer || m.info().family == ofMasks }

// Noisy reports whether the method repeats another on noisy copies of the image.
func (m Method) Noisy() bool { return m.info().family == ofNoise }

// Random reports whether the result depends on Request.Seed.
func (m Method) Random() bool { return m.Noisy() || m == RISE }

// Unsigned reports whether the method's values never are negative by definition.
func (m Method) Unsigned() bool { return m.info().unsigned }
