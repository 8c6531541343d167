package campaign

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
)

const list = `trials:
  - {name: slow, arch: lenet5, width: 0.1, optimizer: adam, rate: 1e-4, batch: 20, steps: %[1]d}
  - {name: fast, arch: lenet5, width: 0.1, optimizer: sgd, rate: 1e-2, batch: 20, steps: %[1]d}
`

// Inputs makes what commands read in a folder, and the folder out: pictures/00.png ..., grey (twelve rows of twelve, as
// MNIST is stored: so many images to train on, a quarter to test on), list.yaml (two trainings of so many steps) and
// net.onnx.
func Inputs(dir, program string, pictures, grey, steps int) error {
	for _, d := range []string{"pictures", "out", "grey"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o777); err != nil {
			return err
		}
	}
	r := rand.New(rand.NewPCG(8, 9))
	for i := range pictures {
		if err := WritePNG(filepath.Join(dir, "pictures", fmt.Sprintf("%02d.png", i)), 32, 32, func(i int) (uint8, uint8, uint8) {
			return uint8(r.IntN(256)), uint8(8 * (i % 32)), uint8(i / 4)
		}); err != nil {
			return err
		}
	}
	for i, part := range []string{"train", "t10k"} {
		if err := idx(filepath.Join(dir, "grey"), part, grey/(1+3*i), r); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "list.yaml"), fmt.Appendf(nil, list, steps), 0o666); err != nil {
		return err
	}
	cmd := exec.Command(program, "export", "--onnx", "--quiet", "--model", "shapes", "--out", "net.onnx")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// WritePNG writes a picture of w x h pixels, whose i-th has the colour that pixel gives.
func WritePNG(path string, w, h int, pixel func(i int) (r, g, b uint8)) error {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		r, g, b := pixel(i)
		img.SetNRGBA(i%w, i/w, color.NRGBA{r, g, b, 255})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o666)
}

// idx writes images of noise with labels as MNIST has them.
func idx(dir, part string, n int, r *rand.Rand) error {
	write := func(name string, head []uint32, size, most int) error {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if err := binary.Write(z, binary.BigEndian, head); err != nil {
			return err
		}
		for range size {
			if _, err := z.Write([]byte{byte(r.IntN(most))}); err != nil {
				return err
			}
		}
		if err := z.Close(); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666)
	}
	if err := write(part+"-images-idx3-ubyte.gz", []uint32{0x803, uint32(n), 12, 12}, n*12*12, 256); err != nil {
		return err
	}
	return write(part+"-labels-idx1-ubyte.gz", []uint32{0x801, uint32(n)}, n, 10)
}
