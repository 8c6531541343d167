package kernel

import "math"

// LanePlanes reports whether lanes have a kernel for the convolution that takes each
// channel by itself, so that LaneDirect costs no more than its products.
func (g Conv) LanePlanes() bool { return laneLevel().lanePlanes(g.norm()) != nil }

func (lv *level) lanePlanes(g Conv) planeConv {
	if g.In != g.Groups || g.Out != g.Groups || g.DilY != 1 || g.DilX != 1 || g.StrideY != g.StrideX || g.StrideY >= len(lv.planeConv) ||
		g.KH >= len(lv.planeConv[0]) || g.KW >= len(lv.planeConv[0]) {
		return nil
	}
	return lv.planeConv[g.StrideY][g.KH][g.KW]
}

// RunPlanes is Run for the channels from..to of a convolution that LanePlanes has a
// kernel for: src holds those only, dst all.
func (f *LaneConv) RunPlanes(s *LaneScratch, dst, src Lane, oy, ox, from, to int, ep Epilogue) {
	if dst.H < 1 || dst.W < 1 {
		return
	}
	f.check(dst, src, oy, ox)
	dst.Data = dst.Data[from*f.lv.panel():]
	f.planes(s, dst, src, oy, ox, from, to, ep)
}

// planes is direct for the channels first..last of a depthwise convolution: the lanes
// of a channel are the columns of a plane whose rows are the places of a column. dst
// and src begin with the first of them.
func (f *LaneConv) planes(s *LaneScratch, dst, src Lane, oy, ox, first, last int, ep Epilogue) {
	g, panel, k := f.g, f.lv.panel(), &s.k
	clamp := 0
	switch {
	case ep.ReLU:
		*k, clamp = [4]float32{3: float32(math.Inf(1))}, 1
	case ep.Clip != nil:
		*k, clamp = [4]float32{0, ep.Clip.k[0], ep.Clip.k[1], ep.Clip.k[2]}, 1
	}
	row, taps := 4*src.Pitch*src.Place, g.KH*g.KW
	for x := range dst.W {
		from, to := (oy*src.Pitch+x*g.StrideX+ox)*src.Place, x*dst.Place
		for c := first; c < last; c++ {
			k[0] = 0
			if ep.Bias != nil {
				k[0] = ep.Bias[c]
			}
			at := (c - first) * panel
			f.plane(&dst.Data[to+at], &src.Data[from+at], &f.a[c*taps], &k[0], dst.H, panel, 4*dst.Pitch*dst.Place, row*g.StrideY,
				4*src.Place*g.StrideX, row, 4*src.Place, clamp)
		}
		if ep.Func == nil {
			continue
		}
		for y := range dst.H {
			d := dst.At(y, x)[:(last-first)*panel]
			f.lv.apply(*ep.Func, d, d)
		}
	}
}
