package experiments

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/model"
)

// Bands cut the radial frequency, in cycles per sample of the layer's input, into
// low, middle and high: below 1/8, below 1/4, and above.
var Bands = [2]float64{1. / 8, 1. / 4}

// What counts as a fault of a filter.
const (
	deadRMS      = 0.05 // of the layer's median
	dominantRMS  = 3    // times the layer's median
	duplicateCos = 0.95
	spectrumSize = 32 // a filter's spectrum is sampled at so many frequencies an axis
	spectrumBins = 16 // radial, over 0..1/2 cycle
)

// Pair is two filters that are nearly the same up to a factor.
type Pair struct {
	A      int     `json:"a"`
	B      int     `json:"b"`
	Cosine float64 `json:"cosine"`
}

// FilterDiagnosis is what can be seen of the filters of one convolution, by the
// measures that [zeiler14] 3.1 and 4.1 reason with.
type FilterDiagnosis struct {
	Layer   string `json:"layer"`
	Filters int    `json:"filters"`
	Kernel  [2]int `json:"kernel"`
	Stride  [2]int `json:"stride"`
	Pixels  bool   `json:"reads_pixels"` // the layer reads the image
	// RMS is the root mean square of each filter, times the scale of the batch
	// normalisation behind it if there is one.
	RMS      []float64 `json:"rms"`
	Dead     []int     `json:"dead"`     // filters of RMS below 0.05 of the median
	Dominant []int     `json:"dominant"` // filters of RMS above 3 times the median
	Spread   float64   `json:"spread"`   // largest RMS over the median
	// Silent are maps that were 0 on every image they were tried on; null if none
	// was tried.
	Silent    []int  `json:"silent"`
	Duplicate []Pair `json:"duplicate"` // cosine above 0.95
	// Energy is the mean over filters of the share of a filter's energy in the low,
	// middle and high band; ByBand counts the filters by the band that their mean
	// frequency, weighted by energy, lies in. Both are nil for kernels of less than
	// 3x3, and leave dead filters out.
	Energy   []float64 `json:"energy,omitempty"`
	ByBand   []int     `json:"filters_by_band,omitempty"`
	Centre   []float64 `json:"mean_frequency,omitempty"` // of each filter
	Spectrum []float64 `json:"spectrum,omitempty"`       // mean density of energy in 16 rings of 0..1/2 cycle, sums to 1
	// Aliased is the share of the output's energy beyond the frequency that the
	// stride can carry (1/(2*stride) on an axis), for a white input;
	// AliasedNatural the same for an input whose energy falls with the square of
	// the frequency, as photographs' does.
	Aliased        float64 `json:"aliased"`
	AliasedNatural float64 `json:"aliased_natural"`
	// Remedies are what follows, in words, after the paper.
	Remedies []string `json:"remedies"`
}

// Diagnose looks at the filters of every convolution. peak, if not nil, has
// for a layer of model.ConvLayers the largest value of each map over some
// images.
func Diagnose(net *model.Network, peak map[string][]float32) ([]FilterDiagnosis, error) {
	convs := net.ConvLayers()
	if len(convs) == 0 {
		return nil, fmt.Errorf("experiments: network %s has no convolution layers", net.Name)
	}
	var out []FilterDiagnosis
	for i := range net.Nodes {
		n := &net.Nodes[i]
		l, ok := n.Layer.(*model.Conv)
		if !ok {
			continue
		}
		d := diagnose(net, n, l)
		if p, ok := peak[convs[len(out)]]; ok {
			d.Silent = []int{}
			for k, v := range p {
				if v <= 0 {
					d.Silent = append(d.Silent, k)
				}
			}
		}
		d.Remedies = d.remedies()
		out = append(out, d)
	}
	return out, nil
}

func diagnose(net *model.Network, n *model.Node, l *model.Conv) FilterDiagnosis {
	s := l.Weight.Shape
	filters, depth, kh, kw := s[0], s[1], s[2], s[3]
	d := FilterDiagnosis{Layer: n.Name, Filters: filters, Kernel: [2]int{kh, kw}, Stride: l.Stride, Pixels: readsPixels(net, n),
		Dead: []int{}, Dominant: []int{}, Duplicate: []Pair{}}
	scale := make([]float64, filters)
	for k := range scale {
		scale[k] = 1
	}
	if next := net.Consumers(n.Name); len(next) == 1 {
		if bn, ok := next[0].Layer.(*model.BatchNorm); ok {
			for k, v := range bn.TopDownScale() {
				scale[k] = math.Abs(float64(v))
			}
		}
	}
	size := depth * kh * kw
	raw := make([]float64, filters)
	for k := range filters {
		raw[k] = distance(l.Weight.Data[k*size:(k+1)*size], nil)
		d.RMS = append(d.RMS, raw[k]/math.Sqrt(float64(size))*scale[k])
	}
	sorted := slices.Sorted(slices.Values(d.RMS))
	median := sorted[len(sorted)/2]
	dead := make([]bool, filters)
	for k, v := range d.RMS {
		switch {
		case v <= deadRMS*median || v == 0:
			d.Dead = append(d.Dead, k)
			dead[k] = true
		case v > dominantRMS*median:
			d.Dominant = append(d.Dominant, k)
		}
	}
	if median > 0 {
		d.Spread = sorted[len(sorted)-1] / median
	}
	for a := range filters {
		for b := a + 1; b < filters; b++ {
			if dead[a] || dead[b] || a*l.Groups/filters != b*l.Groups/filters {
				continue // filters of different groups read different maps
			}
			dot := 0.0
			other := l.Weight.Data[b*size : (b+1)*size]
			for i, v := range l.Weight.Data[a*size : (a+1)*size] {
				dot += float64(v) * float64(other[i])
			}
			if c := dot / (raw[a] * raw[b]); c > duplicateCos {
				d.Duplicate = append(d.Duplicate, Pair{a, b, c})
			}
		}
	}
	d.frequencies(l, dead)
	return d
}

// frequencies fills in what follows from the filters' spectra.
func (d *FilterDiagnosis) frequencies(l *model.Conv, dead []bool) {
	s := l.Weight.Shape
	filters, depth, kh, kw := s[0], s[1], s[2], s[3]
	const n = spectrumSize
	carry := [2]float64{0.5 / float64(l.Stride[0]), 0.5 / float64(l.Stride[1])}
	power := make([]float64, n*n)
	energy, spectrum := make([]float64, 3), make([]float64, spectrumBins)
	byBand := make([]int, 3)
	var white, whiteAliased, natural, naturalAliased float64
	alive := 0
	for k := range filters {
		d.Centre = append(d.Centre, 0)
		if dead[k] {
			continue
		}
		alive++
		clear(power)
		for c := range depth {
			addPower(power, l.Weight.Data[(k*depth+c)*kh*kw:][:kh*kw], kh, kw)
		}
		total := 0.0
		for _, v := range power {
			total += v
		}
		var bands [3]float64
		for v := range n {
			for u := range n {
				fy, fx := frequency(v), frequency(u)
				p := power[v*n+u] / total
				r := math.Hypot(fy, fx)
				switch {
				case r < Bands[0]:
					bands[0] += p
				case r < Bands[1]:
					bands[1] += p
				default:
					bands[2] += p
				}
				if bin := int(r * 2 * spectrumBins); bin < spectrumBins {
					spectrum[bin] += p
				}
				d.Centre[k] += p * r
				lost := math.Abs(fy) > carry[0] || math.Abs(fx) > carry[1]
				white += p
				if lost {
					whiteAliased += p
				}
				if r > 0 {
					natural += p / (r * r)
					if lost {
						naturalAliased += p / (r * r)
					}
				}
			}
		}
		for b, v := range bands {
			energy[b] += v
		}
		switch {
		case d.Centre[k] < Bands[0]:
			byBand[0]++
		case d.Centre[k] < Bands[1]:
			byBand[1]++
		default:
			byBand[2]++
		}
	}
	if alive == 0 {
		d.Centre = nil
		return
	}
	d.Aliased, d.AliasedNatural = whiteAliased/white, naturalAliased/max(natural, 1e-300)
	if kh < 3 || kw < 3 {
		d.Centre = nil
		return
	}
	inside := 0.0
	for _, v := range spectrum {
		inside += v
	}
	for i := range spectrum {
		spectrum[i] /= max(inside, 1e-300)
	}
	for i := range energy {
		energy[i] /= float64(alive)
	}
	d.Energy, d.ByBand, d.Spectrum = energy, byBand, spectrum
}

// frequency is that of bin i, -1/2..1/2 cycle per sample.
func frequency(i int) float64 {
	if i >= spectrumSize/2 {
		i -= spectrumSize
	}
	return float64(i) / spectrumSize
}

// addPower adds |DFT|² of a kernel [kh][kw], rows first and then columns.
func addPower(power []float64, w []float32, kh, kw int) {
	const n = spectrumSize
	type complexRow [n]complex128
	rows := make([]complexRow, kh)
	for y := range kh {
		for u := range n {
			var sum complex128
			for x := range kw {
				sin, cos := math.Sincos(-2 * math.Pi * float64(u*x%n) / n)
				sum += complex(float64(w[y*kw+x])*cos, float64(w[y*kw+x])*sin)
			}
			rows[y][u] = sum
		}
	}
	for v := range n {
		for u := range n {
			var sum complex128
			for y := range kh {
				sin, cos := math.Sincos(-2 * math.Pi * float64(v*y%n) / n)
				sum += rows[y][u] * complex(cos, sin)
			}
			power[v*n+u] += real(sum)*real(sum) + imag(sum)*imag(sum)
		}
	}
}

// readsPixels reports whether a node reads the image, at most normalised or padded.
func readsPixels(net *model.Network, n *model.Node) bool {
	for n.Inputs[0] != net.Input.Name {
		n = net.Node(n.Inputs[0])
		switch n.Layer.(type) {
		case *model.BatchNorm, *model.Pad, *model.Dropout, *model.LRN:
		default:
			return false
		}
	}
	return true
}

// remedies puts the findings into words, with what [zeiler14] did about them.
func (d *FilterDiagnosis) remedies() []string {
	out := []string{}
	idle := len(d.Dead)
	for _, k := range d.Silent {
		if !slices.Contains(d.Dead, k) {
			idle++
		}
	}
	if share := float64(idle) / float64(d.Filters); share > 0.1 {
		out = append(out, fmt.Sprintf("%d of %d filters do nothing (%d of next to no weight, %d never fired): train with a lower rate or a warm-up, or with fewer filters",
			idle, d.Filters, len(d.Dead), len(d.Silent)))
	}
	if len(d.Dominant) > 0 {
		out = append(out, fmt.Sprintf("%d filters dominate (largest RMS %.1f times the median): rescale filters whose RMS exceeds a fixed radius (viz train --max-filter-rms 0.1; the paper's remedy)",
			len(d.Dominant), d.Spread))
	}
	if len(d.Duplicate) > d.Filters/20 {
		out = append(out, fmt.Sprintf("%d pairs of filters are nearly the same: fewer would do", len(d.Duplicate)))
	}
	if d.Pixels && d.ByBand != nil && d.Kernel[0] >= 7 && d.ByBand[1]*5 < d.Filters-len(d.Dead) {
		out = append(out, fmt.Sprintf("few filters (%d of %d) sit at middle frequencies: smaller ones cover them better (the paper went from 11x11 to 7x7)", d.ByBand[1], d.Filters))
	}
	if d.Stride[0]*d.Stride[1] > 1 && d.AliasedNatural > 0.1 {
		out = append(out, fmt.Sprintf("%.0f %% of the output's energy on photographs is beyond what stride %d can carry and comes out as false patterns: take a smaller stride (the paper went from 4 to 2)",
			100*d.AliasedNatural, max(d.Stride[0], d.Stride[1])))
	}
	return out
}
