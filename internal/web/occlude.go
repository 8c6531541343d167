package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

// occlusionBox is the patch and the stride that are taken if nothing is said.
type occlusionBox struct {
	Patch  [2]int `json:"patch"`
	Stride [2]int `json:"stride"`
}

func defaultOcclusion(net *model.Network) (b occlusionBox) {
	b.Patch, b.Stride = occlusion.Defaults(net)
	return b
}

// one is a setting of an occluder that covers one place: where it would lie otherwise need not be found out.
func one(o *view.Occlusion) { o.Position = &[2]int{} }

// occlusionOf finds the network and the picture that a request is about, and reads the settings of an occluder.
func (s *Server) occlusionOf(r *http.Request, more ...func(*view.Occlusion)) (a asked, o view.Occlusion, err error) {
	if a, err = s.asked(r); err != nil {
		return a, o, err
	}
	if err = o.Fields().Set(a.Session.Net, a.query.given); err != nil {
		return a, o, err
	}
	for _, set := range more {
		set(&o)
	}
	return a, o, o.Validate(a.Session.Net)
}

// spot is what happens under one patch: the figures of that position, those of occlude --method box bit for bit.
func (s *Server) spot(w http.ResponseWriter, r *http.Request) error {
	a, request, err := s.occlusionOf(r, one)
	if err != nil {
		return err
	}
	y, err := a.query.number("y", 0)
	if err != nil {
		return err
	}
	x, err := a.query.number("x", 0)
	if err != nil {
		return err
	}
	patch := request.Patch
	if patch == [2]int{} {
		patch, _ = occlusion.Defaults(a.Session.Net)
	}
	in := a.Session.Net.Input
	y, x = min(y, in.H-patch[0]), min(x, in.W-patch[1]) // wholly inside, as positions are
	cover := occlusion.Cover{Patch: model.Box{Y0: y, X0: x, Y1: y + patch[0], X1: x + patch[1]}, Soft: request.Soft, Fill: request.Fill}
	return s.covered(w, r, a, request, cover, "")
}

// covered answers with the numbers under a cover. mask is the name of the mask, if that is what covers.
func (s *Server) covered(w http.ResponseWriter, r *http.Request, a asked, request view.Occlusion, cover occlusion.Cover, mask string) error {
	still, err := s.still(r.Context(), a, request.Layers)
	if err != nil {
		return err
	}
	var out struct {
		*view.SpotNumbers
		Clean *view.SpotNumbers `json:"clean"`
		Box   model.Box         `json:"box"`
		Patch []byte            `json:"patch,omitempty"` // what the patch shows
		Mask  string            `json:"mask,omitempty"`
		Took  float64           `json:"took"` // milliseconds
	}
	out.Mask = mask
	err = s.work.do(r.Context(), a.query.client(), func(ctx context.Context) error {
		start := time.Now()
		spot, err := still.At(ctx, cover)
		if err != nil {
			return err
		}
		out.Took = float64(time.Since(start).Microseconds()) / 1000
		if cover.Mask == nil {
			if out.Patch, err = a.look.Shown(still, cover); err != nil {
				return err
			}
		}
		classes := request.Classes
		if classes == nil {
			classes = []int{still.Clean.Best}
		}
		if out.Clean, err = a.look.Spot(still, still.Clean, 5, classes); err != nil {
			return err
		}
		for _, c := range out.Clean.Top { // the bars keep their classes
			classes = append(classes, c.Class)
		}
		out.SpotNumbers, err = a.look.Spot(still, spot, 5, classes)
		return err
	})
	if err != nil {
		return err
	}
	out.Box = cover.Patch
	return sendJSON(w, out)
}

// scanned is a map that was computed, ready to be drawn.
type scanned struct {
	occluder *view.Occluder
	in       view.Input
	maps     []*occlusion.Map
}

// maxPositions bounds a scan.
const maxPositions = 400_000

// scanKey is under what a scan is kept.
func (a asked) scanKey(r view.Occlusion) string { return a.key("scan") + r.Text() }

// scanMaps computes the maps of a request, or takes them from the cache. each is told of positions as they are computed.
func (s *Server) scanMaps(ctx context.Context, a asked, r view.Occlusion, begin func(*view.Occluder), progress func(done, total int), each func(*occlusion.Map, int)) (*scanned, error) {
	return get(ctx, s.cache, a.scanKey(r), func() (out *scanned, bytes int, err error) {
		err = s.long.do(ctx, a.query.client(), func(ctx context.Context) error {
			positions, _, err := occlusion.Cost(a.Session.Net, r.Options)
			if err != nil {
				return err
			}
			if positions > maxPositions {
				return &view.FieldError{Field: "stride", Problem: fmt.Sprintf("makes %d positions: want at most %d here", positions, maxPositions), Hint: "take a larger stride, or the command"}
			}
			o, err := a.Session.Occluder(r)
			if err != nil {
				return err
			}
			if begin != nil {
				begin(o)
			}
			maps, err := o.ScanEach(ctx, a.in.Tensor, progress, each)
			if err != nil {
				return err
			}
			out = &scanned{o.Done(), a.in, maps}
			for _, m := range maps {
				bytes += len(m.Boxes)*(len(m.Classes)*16+len(m.Totals)*4+40) + 4*a.in.Tensor.Len()*(1+len(m.Classes))
			}
			return nil
		})
		return out, bytes, err
	})
}

// scan computes a whole map and tells of it as it is computed.
func (s *Server) scan(w http.ResponseWriter, r *http.Request) error {
	a, request, err := s.occlusionOf(r)
	if err != nil {
		return err
	}
	e, ctx := s.listen(w, r)
	defer e.cancel()
	p := &parts{e: e, a: a}
	done, err := s.scanMaps(ctx, a, request, p.begin, p.progress, p.add)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			e.end(err, nil)
		}
		return nil
	}
	m := done.maps[0]
	if !p.begun {
		p.tell(m)
	}
	p.all(m)
	low := []model.Box{}
	for j := range m.Classes {
		low = append(low, m.Lowest(j))
	}
	e.end(nil, map[string]any{"lowest": low, "drop": drops(m), "macs": m.MACs, "whole": m.Whole})
	return nil
}

// drops are the ends of the loss by pixel.
func drops(m *occlusion.Map) [2]float32 {
	var out [2]float32
	for _, v := range m.PixelDrop[0] {
		if v == v {
			out[0], out[1] = min(out[0], v), max(out[1], v)
		}
	}
	return out
}

// parts gathers positions until the next time that the page is told.
type parts struct {
	e     *events
	a     asked
	begun bool

	mu   sync.Mutex
	m    *occlusion.Map
	at   []int
	last time.Time
}

// begin starts the clock of the time that is left.
func (p *parts) begin(*view.Occluder) { p.e.from = time.Now() }

// tell says what the map is like before its numbers come.
func (p *parts) tell(m *occlusion.Map) {
	p.begun = true
	type layer struct {
		Layer string  `json:"layer"`
		Map   int     `json:"map"`
		Clean float32 `json:"clean"`
	}
	var layers []layer
	for _, t := range m.Totals {
		layers = append(layers, layer{t.Layer, t.Channel, t.Clean})
	}
	var ys, xs []int
	for i := range m.Rows {
		ys = append(ys, m.Boxes[i*m.Cols].Y0)
	}
	for i := range m.Cols {
		xs = append(xs, m.Boxes[i].X0)
	}
	class := m.Classes[0]
	p.e.send("begin", map[string]any{"rows": m.Rows, "cols": m.Cols, "ys": ys, "xs": xs, "patch": m.Patch, "quantity": m.Quantity, "class": class,
		"class_name": m.Net.Class(class), "clean": m.CleanProb[0], "clean_best": m.CleanBest, "layers": layers})
}

// add takes a position.
func (p *parts) add(m *occlusion.Map, i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m = m
	p.at = append(p.at, i)
}

func (p *parts) progress(done, total int) {
	p.mu.Lock()
	now := time.Now()
	if p.m != nil && now.Sub(p.last) > 80*time.Millisecond {
		if !p.begun {
			p.tell(p.m)
		}
		p.last = now
		p.send(p.m, p.at)
		p.at = p.at[:0]
	}
	p.mu.Unlock()
	p.e.progress(done, total)
}

// send tells the numbers of positions.
func (p *parts) send(m *occlusion.Map, at []int) {
	var prob, total []float32
	var best []int32
	for _, i := range at {
		prob, best = append(prob, m.Prob[0][i]), append(best, m.ArgMax[i])
		if len(m.Totals) > 0 {
			total = append(total, m.Totals[0].Total[i])
		}
	}
	names := map[int32]string{}
	for _, b := range best {
		names[b] = m.Predicted(int(b))
	}
	p.e.send("part", map[string]any{"at": at, "prob": prob, "best": best, "total": total, "names": names})
}

// all tells the whole map, in the order of its positions.
func (p *parts) all(m *occlusion.Map) {
	at := make([]int, len(m.Boxes))
	for i := range at {
		at[i] = i
	}
	p.send(m, at)
}

// loss is the loss by pixel of a scan: little-endian float32, row by row; NaN where no patch lies.
func (s *Server) loss(w http.ResponseWriter, r *http.Request) error {
	a, request, err := s.occlusionOf(r)
	if err != nil {
		return err
	}
	done, err := s.scanMaps(r.Context(), a, request, nil, nil, nil)
	if err != nil {
		return err
	}
	return sendFloats(w, done.maps[0].PixelDrop[0])
}
