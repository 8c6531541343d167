package experiments

import (
	"fmt"
	"math"
	"slices"

	"github.com/deconvnet/viz/internal/exact"
	"github.com/deconvnet/viz/model"
	"gonum.org/v1/gonum/dsp/fourier"
)

// Bands cut the radial frequency, in cycles per sample of the layer's input, into
// low, middle and high: below 1/8, below 1/4, and above.
var Bands = [2]float64{1. / 8, 1. / 4}

// What counts as a fault of a filter.
const (
	deadRMS      = 0.05 // of the median of the layer's filters that are not 0
	dominantRMS  = 3    // times the layer's median
	duplicateCos = 0.95
	spectrumSize = 64 // a filter's spectrum is sampled at so many frequencies an axis
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
	Dead     []int     `json:"dead"`     // filters that are 0 or of RMS below 0.05 of the others' median
	Dominant []int     `json:"dominant"` // filters of RMS above 3 times the median
	Spread   float64   `json:"spread"`   // largest RMS over the median
	// Silent are maps that were 0 on every image they were tried on; null if none
	// was tried or the layer has no rectifier that makes zeros.
	Silent    []int  `json:"silent"`
	Duplicate []Pair `json:"duplicate"` // cosine above 0.95
	// Energy is the mean over filters of the share of a filter's energy in the low,
	// middle and high band; ByBand counts the filters by the band that their mean
	// frequency, weighted by energy, lies in. Both are nil for kernels of less than
	// 3x3, and leave dead filters out.
	Energy   []float64 `json:"energy,omitempty"`
	ByBand   []int     `json:"filters_by_band,omitempty"`
	Centre   []float64 `json:"mean_frequency,omitempty"` // of each filter
	Spectrum []float64 `json:"spectrum,omitempty"`       // mean share of energy in 16 rings of 0..1/2 cycle, sums to 1 (the corners beyond are left out)
	// Aliased is the share of a filter's output energy beyond the frequency that
	// the stride can carry (1/(2*stride) on an axis), for a white input, as a mean
	// over filters; AliasedNatural the same for an input whose energy falls with the
	// square of the frequency, as photographs' does, their mean colour apart. Dead
	// filters are left out.
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
		return nil, fmt.Errorf("network %s has no convolution layers", net.Name)
	}
	var out []FilterDiagnosis
	for i, name := range net.ConvNodes() {
		n := net.Node(name)
		l := model.ConvOfMaps(n.Layer)
		if l == nil { // over three axes or more
			continue
		}
		d := diagnose(net, n, l)
		if p, ok := peak[convs[i]]; ok && zeroes(net.Node(convs[i]).Layer) {
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

// zeroes reports whether a layer rectifies to 0.
func zeroes(l model.Layer) bool {
	switch l := l.(type) {
	case *model.ReLU:
		return true
	case *model.Clip:
		return l.Min == 0
	}
	return false
}

func diagnose(net *model.Network, n *model.Node, l *model.Conv) FilterDiagnosis {
	s := l.Weight.Shape
	filters, depth, kh, kw := s[0], s[1], s[2], s[3]
	d := FilterDiagnosis{Layer: n.Name, Filters: filters, Kernel: [2]int{kh, kw}, Stride: [2]int(l.Window(model.Shape{}).Stride), Pixels: net.ReadsPixels(n.Name),
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
	size, weights := depth*kh*kw, l.Weight.Floats()
	raw := make([]float64, filters)
	for k := range filters {
		raw[k] = distance(weights[k*size:(k+1)*size], nil)
		d.RMS = append(d.RMS, raw[k]/math.Sqrt(float64(size))*scale[k])
	}
	sorted := slices.Sorted(slices.Values(d.RMS))
	median := 0.0 // of those that are not 0, or a layer that is mostly dead would have none
	if at, _ := slices.BinarySearch(sorted, math.SmallestNonzeroFloat64); at < filters {
		median = sorted[(at+filters)/2]
	}
	dead := make([]bool, filters)
	for k, v := range d.RMS {
		switch {
		case v <= deadRMS*median:
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
			other := weights[b*size : (b+1)*size]
			for i, v := range weights[a*size : (a+1)*size] {
				dot += float64(float64(v) * float64(other[i]))
			}
			if c := dot / (raw[a] * raw[b]); c > duplicateCos {
				d.Duplicate = append(d.Duplicate, Pair{a, b, c})
			}
		}
	}
	d.frequencies(l, weights, dead)
	return d
}

// frequencies fills in what follows from the filters' spectra.
func (d *FilterDiagnosis) frequencies(l *model.Conv, weights []float32, dead []bool) {
	filters, depth, kh, kw := l.Weight.Shape[0], l.Weight.Shape[1], l.Weight.Shape[2], l.Weight.Shape[3]
	carry := [2]float64{0.5 / float64(d.Stride[0]), 0.5 / float64(d.Stride[1])}
	lags := make([]float64, (2*kh-1)*(2*kw-1))
	power := make([]float64, spectrumSize*spectrumSize)
	energy, spectrum := make([]float64, len(Bands)+1), make([]float64, spectrumBins)
	byBand := make([]int, len(Bands)+1)
	alive := 0
	for k := range filters {
		d.Centre = append(d.Centre, 0)
		if dead[k] {
			continue
		}
		alive++
		clear(lags)
		for c := range depth {
			addAutocorrelation(lags, weights[(k*depth+c)*kh*kw:][:kh*kw], kh, kw)
		}
		powerSpectrum(power, lags, kh, kw)
		f := sharesOf(power, carry, spectrum)
		d.Centre[k] = f.centre
		d.Aliased += f.aliased
		if f.natural > 0 {
			d.AliasedNatural += f.naturalAliased / f.natural
		}
		for b, v := range f.bands {
			energy[b] += v
		}
		byBand[band(f.centre)]++
	}
	if alive == 0 {
		d.Centre = nil
		return
	}
	d.Aliased /= float64(alive)
	d.AliasedNatural /= float64(alive)
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

// band is the number of the band that a frequency is in.
func band(r float64) int {
	for b, upper := range Bands {
		if r < upper {
			return b
		}
	}
	return len(Bands)
}

// shares are what parts of one filter's energy have in common.
type shares struct {
	bands   [len(Bands) + 1]float64
	centre  float64 // mean frequency
	aliased float64 // above what the stride carries
	// The same energy weighted as natural images are, by 1/r², and what of that is aliased.
	natural, naturalAliased float64
}

// sharesOf sorts a power spectrum, and adds it to spectrum by frequency.
func sharesOf(power []float64, carry [2]float64, spectrum []float64) (f shares) {
	total := 0.0
	for _, v := range power {
		total += v
	}
	for v := range spectrumSize {
		for u := range spectrumSize {
			fy, fx := frequency(v), frequency(u)
			p := power[v*spectrumSize+u] / total
			r := exact.Hypot(fy, fx)
			f.bands[band(r)] += p
			if bin := int(r * 2 * spectrumBins); bin < spectrumBins {
				spectrum[bin] += p
			}
			f.centre += float64(p * r)
			lost := math.Abs(fy) > carry[0] || math.Abs(fx) > carry[1]
			if lost {
				f.aliased += p
			}
			if r > 0 {
				f.natural += p / (r * r)
				if lost {
					f.naturalAliased += p / (r * r)
				}
			}
		}
	}
	return f
}

// frequency is that of bin i, -1/2..1/2 cycle per sample.
func frequency(i int) float64 {
	if i >= spectrumSize/2 {
		i -= spectrumSize
	}
	return float64(i) / spectrumSize
}

// addAutocorrelation adds, at [dy+kh-1][dx+kw-1] of lags [2kh-1][2kw-1], the sum of
// w[y][x]*w[y+dy][x+dx] over a kernel [kh][kw].
func addAutocorrelation(lags []float64, w []float32, kh, kw int) {
	for y0 := range kh {
		for x0 := range kw {
			a := float64(w[y0*kw+x0])
			for y1 := range kh {
				row := lags[(y1-y0+kh-1)*(2*kw-1)+kw-1-x0:]
				for x1, b := range w[y1*kw : (y1+1)*kw] {
					row[x1] += float64(a * float64(b))
				}
			}
		}
	}
}

// powerSpectrum writes |DFT|² of a filter, [spectrumSize][spectrumSize], from its
// autocorrelation: the sum over channels has been taken there, where a kernel has
// few values (Wiener-Khinchin theorem).
func powerSpectrum(power, lags []float64, kh, kw int) {
	const n = spectrumSize
	var grid [n * n]complex128
	at := func(lag int) int { return ((lag % n) + n) % n } // what lies further than n apart has the same phases
	for dy := 1 - kh; dy < kh; dy++ {
		for dx := 1 - kw; dx < kw; dx++ {
			grid[at(dy)*n+at(dx)] += complex(lags[(dy+kh-1)*(2*kw-1)+dx+kw-1], 0)
		}
	}
	fft := fourier.NewCmplxFFT(n)
	for y := range n {
		row := grid[y*n : (y+1)*n]
		fft.Coefficients(row, row)
	}
	var column [n]complex128
	for x := range n {
		for y := range n {
			column[y] = grid[y*n+x]
		}
		fft.Coefficients(column[:], column[:])
		for y, v := range column {
			power[y*n+x] = max(real(v), 0)
		}
	}
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
		stride, input, paper := max(d.Stride[0], d.Stride[1]), "on photographs ", ""
		if !d.Pixels {
			input = "" // what maps hold is not known
		}
		if stride > 2 {
			paper = " (the paper went from 4 to 2)"
		}
		out = append(out, fmt.Sprintf("%.0f %% of the output's energy %sis beyond what stride %d can carry and comes out as false patterns: take a smaller stride%s",
			100*d.AliasedNatural, input, stride, paper))
	}
	return out
}
