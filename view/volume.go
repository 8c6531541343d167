package view

import (
	"fmt"
	"image"
	"image/draw"
	"math"

	"github.com/deconvnet/viz/internal/render"
	"github.com/deconvnet/viz/model"
)

// Volumes are drawn as their planes, from the first on, beside each other.

// beside draws pictures of one size from left to right, a little white between them.
func beside(tiles []image.Image) *image.NRGBA {
	size := tiles[0].Bounds()
	gap := max(1, size.Dx()/32)
	out := image.NewNRGBA(image.Rect(0, 0, len(tiles)*(size.Dx()+gap)-gap, size.Dy()))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	for i, t := range tiles {
		x := i * (size.Dx() + gap)
		draw.Draw(out, image.Rect(x, 0, x+size.Dx(), size.Dy()), t, t.Bounds().Min, draw.Src)
	}
	return out
}

// heats are the planes of a volume of dims [depth, rows, columns] as pictures.
func heats(values []float32, dims []int, lo, hi float64, p render.Palette) []image.Image {
	var out []image.Image
	h, w := dims[1], dims[2]
	for d := range dims[0] {
		out = append(out, render.Heat(values[d*h*w:(d+1)*h*w], h, w, lo, hi, p))
	}
	return out
}

// planes are the planes of an input of dims [channels, depth, rows, columns] as pictures.
func (in Input) planes(dims []int) []image.Image {
	var out []image.Image
	for d := range dims[1] {
		out = append(out, model.VolumePlane(in.Tensor.Data, dims, d))
	}
	return out
}

// inDepth is a volume of dims [depth, rows, columns] interpolated to h x w and, between
// planes, to place z of a depth of n.
func inDepth(values []float32, dims []int, z, n, h, w int) []float32 {
	at := (float64(z)+0.5)*float64(dims[0])/float64(n) - 0.5
	at = min(max(at, 0), float64(dims[0]-1))
	first := int(math.Floor(at))
	size := dims[1] * dims[2]
	part := make([]float32, size)
	for i := range part {
		a := values[first*size+i]
		b := values[min(first+1, dims[0]-1)*size+i]
		part[i] = a + float32(float32(at-float64(first))*(b-a))
	}
	return render.Smooth(part, dims[1], dims[2], h, w)
}

// volumeFigure is gradCAMFigure for a layer of dims [channels, depth, rows, columns].
func (s *Session) volumeFigure(r GradCAM, in Input, cam []float32, dims []int, n GradCAMNumbers, told float64) image.Image {
	colors, _ := r.Palette.colors()
	size := s.Net.Input
	k := max(112/max(size.H, size.W), 1)
	space := dims[1:]
	var panels []render.Panel
	whole := s.Net.Volume(size.Name)
	if whole != nil {
		pictures := in.planes(whole)
		over := make([]image.Image, len(pictures))
		for z, p := range pictures {
			pictures[z] = render.Magnify(p, k)
			heat := heatOver(inDepth(cam, space, z, len(pictures), size.H*k, size.W*k), size.H*k, size.W*k, n.Hi, colors)
			over[z] = render.Overlay(pictures[z], heat, r.opacity())
		}
		panels = append(panels, render.Panel{Title: fmt.Sprintf("input, %d planes", len(pictures)), Image: beside(pictures)},
			render.Panel{Title: "over the input", Image: beside(over), Note: fmt.Sprintf("interpolated; as opaque as strong, at most %.2g", r.opacity())})
	}
	tiles := heats(cam, space, 0, n.Hi, colors)
	for i, t := range tiles {
		tiles[i] = render.Magnify(t, max(size.W*k/space[2], 1))
	}
	panels = append(panels, render.Panel{Title: fmt.Sprintf("class activation map, %d planes", space[0]), Image: beside(tiles),
		Bar: &render.ColorBar{Palette: colors, Lo: 0, Hi: n.Hi, Label: "weighted activation"}, Note: camNote(n.Hi, space)})
	caption := fmt.Sprintf("%s of %s: %s. The volumes of %s, %s, weighted with the mean gradient of the class score over each; negative sums are 0. %s",
		n.Quantity, s.classText(n.Number), render.Number(told), r.Layer, timesText(dims), s.about())
	return render.Figure{Title: fmt.Sprintf("Grad-CAM at %s for %s", r.Layer, s.classText(n.Number)), Columns: 1, PanelSize: -1, Panels: panels, Caption: []string{caption}}.Draw()
}

func camNote(hi float64, dims []int) string {
	if hi == 0 {
		return "no positive evidence for the class in this layer"
	}
	return timesText(dims) + " values, as they are"
}

func timesText(dims []int) string {
	text := ""
	for i, d := range dims {
		if i > 0 {
			text += "×"
		}
		text += fmt.Sprint(d)
	}
	return text
}

// volumeShape is a value of a layer as arrays have it: of a volume with all its axes.
func volumeShape(net *model.Network, layer string, shape model.Shape) []int {
	if dims := net.Volume(layer); dims != nil {
		return dims
	}
	return shape.Batch(1)[1:]
}
