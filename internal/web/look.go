package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"image"
	"image/png"
	"io"
	"math"
	"net/http"
	"strconv"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/internal/graph"
	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

// state is what the page knows from the start.
func (s *Server) state(w http.ResponseWriter, r *http.Request) error {
	type layerInfo struct {
		Name  string `json:"name"`
		Kind  string `json:"kind"`
		Shape []int  `json:"shape"`
		Paper int    `json:"number,omitempty"`
		Conv  bool   `json:"conv,omitempty"` // has filters to draw
	}
	type netInfo struct {
		Name    string       `json:"name"`
		Hash    string       `json:"hash"`
		Args    []string     `json:"args"`
		Input   model.Input  `json:"input"`
		Text    string       `json:"classes_text"`
		Pixels  string       `json:"pixels"`
		Stated  bool         `json:"pixels_stated"`
		Problem string       `json:"problem,omitempty"` // why there are no scores
		Classes []string     `json:"classes"`
		Layers  []layerInfo  `json:"layers"`
		Last    string       `json:"last"` // the last maps before the scores
		Default occlusionBox `json:"occlusion"`
	}
	var nets []netInfo
	for _, st := range s.stations {
		net := st.Session.Net
		n := netInfo{Name: net.Name, Hash: st.Session.Hash(), Args: st.Args, Input: net.Input, Text: view.ClassesText(net), Pixels: view.PixelsText(net),
			Stated: net.Preprocess.Stated(), Classes: []string{}, Last: net.LastSpatial()}
		reading, err := net.Reading()
		if err != nil {
			n.Problem = err.Error()
		} else {
			for c := range reading.NumClasses() {
				n.Classes = append(n.Classes, net.Class(c))
			}
		}
		inspection, err := st.inspect()
		if err != nil {
			return err
		}
		_, spaced := view.Convolutions(net)
		filters := map[string]bool{}
		for _, name := range spaced {
			filters[name] = true
		}
		for _, l := range inspection.Layers {
			n.Layers = append(n.Layers, layerInfo{l.Name, l.Kind, []int{l.Shape.C, l.Shape.H, l.Shape.W}, l.Paper, filters[l.Name]})
		}
		noLast := n.Last == ""
		for _, l := range inspection.Layers { // where nothing leads to scores: the last maps
			if noLast && (n.Last == "" || l.Shape.H*l.Shape.W > 1) {
				n.Last = l.Name
			}
		}
		n.Default = defaultOcclusion(net)
		nets = append(nets, n)
	}
	return sendJSON(w, map[string]any{"nets": nets, "pictures": s.pictures.count(), "from": s.from(), "version": s.o.Version,
		"memory": s.o.Memory, "used": s.cache.size(), "checkpoints": len(s.o.Checkpoints), "rules": deconv.Rules(), "index": s.o.Index != nil})
}

// from says where the pictures come from.
func (s *Server) from() string {
	if s.o.List == nil {
		return ""
	}
	return s.o.List.From
}

// graph is the network as boxes and lines.
func (s *Server) graph(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	st, err := s.station(q)
	if err != nil {
		return err
	}
	inspection, err := st.inspect()
	if err != nil {
		return err
	}
	net := st.Session.Net
	nodes := []graph.Node{{Name: net.Input.Name, Path: net.Input.Name}}
	for _, l := range inspection.Layers {
		path := l.Name
		if l.Module != "" {
			path = l.Module + "." + l.Name
		}
		nodes = append(nodes, graph.Node{Name: l.Name, Path: path, Inputs: l.Inputs})
	}
	g := graph.Fold(nodes, r.URL.Query()["open"], 60)
	g.Place()
	type rule struct {
		Rule    string `json:"rule"`
		Problem string `json:"problem,omitempty"`
	}
	type boxInfo struct {
		graph.Box
		Count   int                  `json:"count"`
		Layer   *view.InspectedLayer `json:"layer,omitempty"`
		Output  string               `json:"output"`
		Weights int                  `json:"weights"`
		Rules   []rule               `json:"rules,omitempty"`
	}
	out := []boxInfo{}
	for _, b := range g.Boxes {
		info := boxInfo{Box: b, Count: b.To - b.From, Output: inspection.Input}
		for i := b.From; i < b.To; i++ {
			if i == 0 {
				continue
			}
			l := &inspection.Layers[i-1]
			info.Weights += l.Weights
			info.Output = l.Output
			if info.Count == 1 {
				info.Layer = l
				for _, name := range deconv.Rules() {
					info.Rules = append(info.Rules, rule{string(name), st.look.Leads(name, l.Name)})
				}
			}
		}
		out = append(out, info)
	}
	return sendJSON(w, map[string]any{"boxes": out, "lines": g.Lines, "left": g.Left, "right": g.Right, "bottom": g.Bottom,
		"weights": inspection.Weights, "macs": inspection.MACs, "steps": inspection.Steps})
}

func (s *Server) listPictures(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	from, err := q.number("from", 0)
	if err != nil {
		return err
	}
	return sendJSON(w, map[string]any{"pictures": s.pictures.infos(from, from+200), "count": s.pictures.count()})
}

// addPicture takes a picture that was dropped on the page: the body is its file.
func (s *Server) addPicture(w http.ResponseWriter, r *http.Request) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpload))
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &view.FieldError{Field: "picture", Problem: "has more than " + strconv.FormatInt(e.Limit>>20, 10) + " MB",
			Hint: "name it when viz serve starts, or make it smaller"}
	}
	if err != nil {
		return err
	}
	q := queryOf(r)
	return s.work.do(r.Context(), q.client(), func(context.Context) error {
		n, err := s.pictures.add(q.get("name"), data)
		if err != nil {
			return err
		}
		return sendJSON(w, s.pictures.infos(n, n+1)[0])
	})
}

// sendPNG answers with a picture.
func sendPNG(w http.ResponseWriter, img image.Image) error {
	data, err := encode(img)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	_, err = w.Write(data)
	return err
}

func encode(img image.Image) ([]byte, error) {
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, img)
	return out.Bytes(), err
}

// small is a picture made smaller for the page, kept.
func (s *Server) small(w http.ResponseWriter, r *http.Request, what string, side int) error {
	q := queryOf(r)
	i, err := q.number("image", 0)
	if err != nil {
		return err
	}
	data, err := get(r.Context(), s.cache, what+" "+strconv.Itoa(i), func() (data []byte, bytes int, err error) {
		err = s.work.do(r.Context(), q.client(), func(context.Context) error {
			p, err := s.pictures.open(i)
			if err != nil {
				return err
			}
			img, err := s.stations[0].look.Small(p, side)
			if err != nil {
				return err
			}
			data, err = encode(img)
			return err
		})
		return data, len(data), err
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	_, err = w.Write(data)
	return err
}

func (s *Server) thumb(w http.ResponseWriter, r *http.Request) error {
	return s.small(w, r, "thumb", 96)
}
func (s *Server) original(w http.ResponseWriter, r *http.Request) error {
	return s.small(w, r, "original", 640)
}

// input is what the network really sees.
func (s *Server) input(w http.ResponseWriter, r *http.Request) error {
	a, err := s.asked(r)
	if err != nil {
		return err
	}
	return sendPNG(w, a.look.Picture(a.in))
}

// trace is the values of all layers, kept while there is room.
func (s *Server) trace(ctx context.Context, a asked) (*model.Trace, error) {
	return get(ctx, s.cache, a.key("trace"), func() (t *model.Trace, bytes int, err error) {
		err = s.work.do(ctx, a.query.client(), func(context.Context) error {
			t, err = a.look.Trace(a.in)
			return err
		})
		return t, a.look.TraceBytes(), err
	})
}

// still is the picture made ready to be covered.
func (s *Server) still(ctx context.Context, a asked, layers []string) (*occlusion.Still, error) {
	key := a.key("still")
	for _, l := range layers {
		key += strconv.Quote(l)
	}
	return get(ctx, s.cache, key, func() (k *occlusion.Still, bytes int, err error) {
		err = s.work.do(ctx, a.query.client(), func(context.Context) error {
			k, err = a.look.Still(a.in, layers)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		return k, k.Bytes(), nil
	})
}

// classes are the best classes of the picture, and those that are asked for.
func (s *Server) classes(w http.ResponseWriter, r *http.Request) error {
	a, err := s.asked(r)
	if err != nil {
		return err
	}
	classes, err := view.ParseClasses(a.Session.Net, a.query.get("class"))
	if err != nil {
		return err
	}
	still, err := s.still(r.Context(), a, nil)
	if err != nil {
		return err
	}
	n, err := a.look.Spot(still, still.Clean, 5, classes)
	if err != nil {
		return err
	}
	return sendJSON(w, n)
}

// layerOf reads the layer that is asked about.
func (a asked) layerOf() (string, error) {
	name := a.query.get("layer")
	if name == "" {
		name = a.Session.Net.LastSpatial()
	}
	if name == "" {
		return "", &view.FieldError{Field: "layer", Problem: "is not given, and the network has no last maps before its scores"}
	}
	if name == a.Session.Net.Input.Name {
		return name, nil
	}
	return a.Session.Net.Resolve(name)
}

func (s *Server) layerMaps(r *http.Request) (*view.LayerMaps, error) {
	a, err := s.asked(r)
	if err != nil {
		return nil, err
	}
	layer, err := a.layerOf()
	if err != nil {
		return nil, err
	}
	t, err := s.trace(r.Context(), a)
	if err != nil {
		return nil, err
	}
	scale := view.Scaling(a.query.get("scale"))
	return get(r.Context(), s.cache, a.key("maps")+string(scale)+" "+layer, func() (m *view.LayerMaps, bytes int, err error) {
		err = s.work.do(r.Context(), a.query.client(), func(context.Context) error {
			m, err = a.look.Maps(t, layer, scale)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		b := m.Image.Bounds()
		return m, b.Dx()*b.Dy() + 64*len(m.Maps), nil
	})
}

// maps says what the maps of a layer are like.
func (s *Server) maps(w http.ResponseWriter, r *http.Request) error {
	m, err := s.layerMaps(r)
	if err != nil {
		return err
	}
	return sendJSON(w, m)
}

// tiles is the picture of all maps of a layer.
func (s *Server) tiles(w http.ResponseWriter, r *http.Request) error {
	m, err := s.layerMaps(r)
	if err != nil {
		return err
	}
	return sendPNG(w, m.Image)
}

// oneMap is the values of one map: little-endian float32, row by row.
func (s *Server) oneMap(w http.ResponseWriter, r *http.Request) error {
	a, err := s.asked(r)
	if err != nil {
		return err
	}
	layer, err := a.layerOf()
	if err != nil {
		return err
	}
	t, err := s.trace(r.Context(), a)
	if err != nil {
		return err
	}
	k, err := a.query.number("map", 0)
	if err != nil {
		return err
	}
	shape := a.Session.Net.Input.Shape()
	if layer != a.Session.Net.Input.Name {
		shape = t.Shapes[layer]
	}
	if k >= shape.C {
		return &view.FieldError{Field: "map", Problem: strconv.Itoa(k) + ": layer " + layer + " has maps 0 to " + strconv.Itoa(shape.C-1)}
	}
	plane := shape.H * shape.W
	return sendFloats(w, t.Value(layer).Data[k*plane:(k+1)*plane])
}

// sendFloats answers with bare numbers.
func sendFloats(w http.ResponseWriter, values []float32) error {
	out := make([]byte, 0, 4*len(values))
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, err := w.Write(out)
	return err
}

// unit is one unit taken down to pixels.
func (s *Server) unit(w http.ResponseWriter, r *http.Request) error {
	a, err := s.asked(r)
	if err != nil {
		return err
	}
	var request view.Unit
	if err := request.Fields().Set(a.Session.Net, a.query.given); err != nil {
		return err
	}
	t, err := s.trace(r.Context(), a)
	if err != nil {
		return err
	}
	return s.work.do(r.Context(), a.query.client(), func(context.Context) error {
		u, err := a.look.Unit(t, request, a.in)
		if err != nil {
			return err
		}
		patch, err := inline(u.Patch)
		if err != nil {
			return err
		}
		projection, err := inline(u.Projection)
		if err != nil {
			return err
		}
		return sendJSON(w, map[string]any{"numbers": u.Numbers, "patch": patch, "projection": projection})
	})
}

// inline is a picture within JSON.
func inline(img image.Image) (string, error) {
	data, err := encode(img)
	return base64.StdEncoding.EncodeToString(data), err
}

// colors are 256 steps of the palettes, for what the browser colours itself: rrggbb after rrggbb.
func (s *Server) colors(w http.ResponseWriter, r *http.Request) error {
	out := map[string]string{}
	for name, p := range map[string]render.Palette{"viridis": render.Viridis, "diverging": render.Diverging, "gray": render.Gray} {
		text := make([]byte, 0, 6*256)
		for _, c := range view.Colors(p) {
			r, g, b, _ := c.RGBA()
			for _, v := range []uint32{r, g, b} {
				text = append(text, "0123456789abcdef"[v>>12&15], "0123456789abcdef"[v>>8&15])
			}
		}
		out[name] = string(text)
	}
	classes := make([]byte, 0, 6*256)
	for i := range 256 {
		c := render.Categorical(i)
		for _, v := range []uint8{c.R, c.G, c.B} {
			classes = append(classes, "0123456789abcdef"[v>>4], "0123456789abcdef"[v&15])
		}
	}
	out["classes"] = string(classes)
	return sendJSON(w, out)
}
