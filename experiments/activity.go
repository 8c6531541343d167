package experiments

import (
	"context"
	"fmt"
	"math"

	"github.com/deconvnet/viz/model"
)

// Activity is how active a convolution layer is over some images. Max to
// Std are of the convolution's output before the rectifier (behind it the
// minimum would always be 0); Sparsity is of the rectified features.
type Activity struct {
	Layer    string  `json:"layer"`
	Max      float64 `json:"max"`
	Mean     float64 `json:"mean"`
	Min      float64 `json:"min"`
	Std      float64 `json:"std"`
	OldStd   float64 `json:"deviation"` // the older name of Std, for one more version
	Sparsity float64 `json:"sparsity"`  // share of features that are 0
	// FeatureMean and FeatureStd are of the rectified features.
	FeatureMean   float64 `json:"feature_mean"`
	FeatureStd    float64 `json:"feature_std"`
	OldFeatureStd float64 `json:"feature_deviation"` // the older name of FeatureStd, for one more version
	Values        int     `json:"values"`
	// Histogram counts the convolution's output in bins of equal width from
	// -Range to Range; what lies outside counts in the first and last.
	Histogram []int   `json:"histogram"`
	Range     float64 `json:"range"`
}

// activityBins is the number of bins of an Activity's histogram. It is fine, so
// that histograms of several moments can be drawn on one, narrower range.
const activityBins = 4000

// Watch computes the activity of every convolution over the images: what the
// course's report shows of conv1 (where the convolution's batch normalisation is
// part of it if there is one). The histogram covers -reach..reach.
func Watch(ctx context.Context, engine *model.Engine, net *model.Network, images Images, reach float64) ([]Activity, error) {
	features := net.ConvLayers()
	var before []string // what the rectifier reads
	for _, name := range features {
		at := name
		switch net.Node(name).Layer.(type) {
		case *model.Conv:
		default:
			at = net.Node(name).Inputs[0]
		}
		before = append(before, at)
	}
	if len(features) == 0 {
		return nil, fmt.Errorf("the network has no convolution layers")
	}
	if images.Len() == 0 {
		return nil, fmt.Errorf("no images")
	}
	plan, err := engine.Compile(net, model.Keep{Layers: append(append([]string{}, features...), before...)})
	if err != nil {
		return nil, err
	}
	type sums struct {
		sum, squares, fsum, fsquares float64
		zero                         int
	}
	out, total := make([]Activity, len(features)), make([]sums, len(features))
	for l, name := range features {
		out[l] = Activity{Layer: name, Max: math.Inf(-1), Min: math.Inf(1), Histogram: make([]int, activityBins), Range: reach}
	}
	err = eachBatch(ctx, net, plan, images, func(t *model.Trace, done int) {
		engine.For(len(out), func(l int) {
			a, s := &out[l], &total[l]
			scale := activityBins / (2 * reach)
			lo, hi := float32(math.Inf(1)), float32(math.Inf(-1))
			for _, v := range t.Value(before[l]).Data {
				lo, hi = min(lo, v), max(hi, v)
				s.sum += float64(v)
				s.squares += float64(float64(v) * float64(v))
				a.Histogram[min(max(int((float64(v)+reach)*scale), 0), activityBins-1)]++
				a.Values++
			}
			a.Min, a.Max = min(a.Min, float64(lo)), max(a.Max, float64(hi))
			for _, v := range t.Value(features[l]).Data {
				if v == 0 {
					s.zero++
				}
				s.fsum += float64(v)
				s.fsquares += float64(float64(v) * float64(v))
			}
		})
	})
	if err != nil {
		return nil, err
	}
	for l := range out {
		a, s, n := &out[l], &total[l], float64(out[l].Values)
		a.Mean, a.FeatureMean = s.sum/n, s.fsum/n
		a.Std = math.Sqrt(max(s.squares/n-float64(a.Mean*a.Mean), 0))
		a.FeatureStd = math.Sqrt(max(s.fsquares/n-float64(a.FeatureMean*a.FeatureMean), 0))
		a.OldStd, a.OldFeatureStd = a.Std, a.FeatureStd
		a.Sparsity = float64(s.zero) / n
	}
	return out, nil
}
