package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model/open"
)

const list = `trials:
  - {name: slow, arch: lenet5, width: 0.1, optimizer: adam, rate: 1e-4, batch: 20, steps: 12}
  - {name: fast, arch: lenet5, width: 0.1, optimizer: sgd, rate: 1e-2, batch: 20, steps: 12}
`

// inputs makes what the commands read.
func inputs(dir, program string) error {
	for _, d := range []string{"pictures", "out", "grey"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o777); err != nil {
			return err
		}
	}
	r := rand.New(rand.NewPCG(8, 9))
	for i := range 24 {
		img := image.NewNRGBA(image.Rect(0, 0, 32, 32))
		for j := range 32 * 32 {
			img.SetNRGBA(j%32, j/32, color.NRGBA{uint8(r.IntN(256)), uint8(8 * (j % 32)), uint8(j / 4), 255})
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "pictures", fmt.Sprintf("%02d.png", i)), b.Bytes(), 0o666); err != nil {
			return err
		}
	}
	for i, part := range []string{"train", "t10k"} {
		if err := idx(filepath.Join(dir, "grey"), part, 200-150*i, r); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "list.yaml"), []byte(list), 0o666); err != nil {
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

// hashes are those of all files in a folder, by name. What is hidden is temporary, but for lock files.
func hashes(dir string) (map[string]string, error) {
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[name] = fmt.Sprintf("%x", sha256.Sum256(content))
		return err
	})
	return out, err
}

// readable reads every file that is not hidden, as its kind.
func readable(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		if err := read(path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func read(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	switch filepath.Ext(path) {
	case ".png":
		_, err = png.Decode(bytes.NewReader(content))
	case ".npy":
		_, err = npy.ReadFile(path)
	case ".json":
		if !json.Valid(content) {
			err = errors.New("is no JSON")
		}
	case ".jsonl":
		for line := range bytes.Lines(content) {
			if !json.Valid(line) {
				err = errors.New("has a line that is no JSON")
			}
		}
	case ".idx":
		_, err = features.Read(bytes.NewReader(content))
	case ".bin", ".onnx":
		_, err = open.Network(path, open.Options{})
	}
	return err
}
