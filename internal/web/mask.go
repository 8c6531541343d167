package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"io"
	"mime"
	"net/http"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

// mask is what happens if the pixels that were brushed are covered. The body is a picture of the input's size, of which
// the pixels that are not transparent are covered. The mask is kept, to be named in further requests.
func (s *Server) mask(w http.ResponseWriter, r *http.Request) error {
	a, request, err := s.occlusionOf(r, one)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
	if err != nil {
		return &view.FieldError{Field: "mask", Problem: "has more than 8 MB"}
	}
	labels, err := maskLabels(data, a.Session.Net.Input)
	if err != nil {
		return err
	}
	cover := occlusion.Cover{Mask: make([]bool, len(labels)), Fill: request.Fill}
	for i, label := range labels {
		cover.Mask[i] = label >= 0
	}
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:4])
	if _, err := get(r.Context(), s.cache, "mask "+name, func() ([]byte, int, error) { return data, len(data), nil }); err != nil {
		return err
	}
	return s.covered(w, r, a, request, cover, name)
}

// maskLabels reads a picture of a mask: 1 for a pixel that is covered, else -1. It is not resized, whatever happens to
// images, since it was brushed over what the network sees.
func maskLabels(data []byte, in model.Input) ([]int32, error) {
	h, err := imageio.ReadHeader(bytes.NewReader(data), "mask")
	if err != nil {
		return nil, err
	}
	if h.Width != in.W || h.Height != in.H {
		return nil, &view.FieldError{Field: "mask", Problem: fmt.Sprintf("of %d x %d pixels: want %d x %d", h.Width, h.Height, in.W, in.H)}
	}
	img, err := imageio.Decode(bytes.NewReader(data), "mask")
	if err != nil {
		return nil, err
	}
	labels, b := make([]int32, in.H*in.W), img.Bounds()
	for i := range labels {
		if _, _, _, alpha := img.At(b.Min.X+i%in.W, b.Min.Y+i/in.W).RGBA(); alpha < 0x8000 {
			labels[i] = -1
		} else {
			labels[i] = 1
		}
	}
	return labels, nil
}

// brushed is a mask that is kept, as segments of a network's input.
func (s *Server) brushed(ctx context.Context, name string, in model.Input) ([]int32, error) {
	gone := &view.FieldError{Field: "mask", Problem: shortened(name) + ": is not kept any more", Hint: "brush it again"}
	data, err := get(ctx, s.cache, "mask "+name, func() ([]byte, int, error) { return nil, 0, gone })
	if err != nil {
		return nil, err
	}
	return maskLabels(data, in)
}

// maskFile is what the file of a mask is called, which the command reads.
func maskFile(name string) string { return "mask-" + name + ".npy" }

// keptMask gives a mask back: as=npy for the command, else as a picture.
func (s *Server) keptMask(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	st, err := s.station(q)
	if err != nil {
		return err
	}
	in := st.Session.Net.Input
	labels, err := s.brushed(r.Context(), q.get("mask"), in)
	if err != nil {
		return err
	}
	if q.get("as") == "npy" {
		var out bytes.Buffer
		if err := npy.Write(&out, []int{in.H, in.W}, labels); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": maskFile(q.get("mask"))}))
		_, err = w.Write(out.Bytes())
		return err
	}
	img := image.NewPaletted(image.Rect(0, 0, in.W, in.H), color.Palette{color.Transparent, color.NRGBA{R: 255, A: 255}})
	for i, label := range labels {
		img.Pix[i] = uint8(max(label, 0))
	}
	return sendPNG(w, img)
}
