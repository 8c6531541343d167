package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/model"
	"github.com/disintegration/imaging"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"viz": main,
	})
}

// TestScripts runs the program as users do; each script in testdata/script says
// what it is about in its first lines.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/cache")
			e.Setenv("VIZ_MODEL", "")
			names, err := filepath.Abs("../../model/onnx/testdata/names")
			if err != nil {
				return err
			}
			e.Setenv("NAMES", names)
			e.Setenv("ONNX", filepath.Dir(names))
			pictures, err := filepath.Abs("../../testdata")
			if err != nil {
				return err
			}
			e.Setenv("PICTURES", pictures)
			server := httptest.NewServer(http.HandlerFunc(brokenMirror))
			e.Defer(server.Close)
			e.Setenv("MIRROR", server.URL)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %s", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "mkidx": mkIDX, "mkimage": mkImage, "mknet": mkNet, "mkscores": mkScores, "mknpy": mkNPY, "mknan": mkNaN, "isjson": isJSON, "npyshape": npyShape, "pngtext": pngText, "cut": cut, "gunzip": gunzip, "flipbit": flipBit,
		},
	})
}

// brokenMirror answers requests for data sets as bad servers do.
func brokenMirror(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/wrong/"):
		fmt.Fprint(w, "these are not the bytes")
	case strings.HasPrefix(r.URL.Path, "/html/"):
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>please log in</html>")
	default:
		http.NotFound(w, r)
	}
}

// gunzip FILE.gz TO unpacks a file.
func gunzip(ts *testscript.TestScript, neg bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	z, err := gzip.NewReader(bytes.NewReader(data))
	ts.Check(err)
	data, err = io.ReadAll(z)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o666))
}

// exits CODE PROGRAM ARGS... runs a program that must end with the exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var e *exec.ExitError
	if errors.As(err, &e) {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// mkimage FILE WIDTH HEIGHT writes a coloured picture, PNG or JPEG.
func mkImage(ts *testscript.TestScript, neg bool, args []string) {
	w, _ := strconv.Atoi(args[1])
	h, _ := strconv.Atoi(args[2])
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(255 * x / w), uint8(255 * y / h), uint8((x * y) % 256), 255})
		}
	}
	if strings.HasSuffix(args[0], ".jpg") {
		ts.Check(imaging.Save(img, ts.MkAbs(args[0])))
		return
	}
	ts.Check(imageio.WritePNG(ts.MkAbs(args[0]), img, nil))
}

// mknet FILE ARCH [DATA] writes an untrained checkpoint with the classes a to j.
func mkNet(ts *testscript.TestScript, neg bool, args []string) {
	in := model.Input{C: 3, H: 32, W: 32}
	if args[1] == "lenet5" {
		in = model.Input{C: 1, H: 28, W: 28}
	}
	net, err := model.Build(args[1], model.ArchOptions{Input: in, Classes: strings.Split("abcdefghij", ""), Width: 0.25, Seed: 1})
	ts.Check(err)
	net.Preprocess.Scale = 1.0 / 255
	if len(args) > 2 {
		net.Origin.Data = args[2]
	}
	ts.Check(model.Save(ts.MkAbs(args[0]), net, nil))
}

// mkidx DIR SIDE TRAIN TEST writes grey images of ten classes, told apart by where
// they are bright, as IDX files.
func mkIDX(ts *testscript.TestScript, neg bool, args []string) {
	side, _ := strconv.Atoi(args[1])
	ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o777))
	for i, name := range []string{"train", "t10k"} {
		n, _ := strconv.Atoi(args[2+i])
		images := []byte{0, 0, 8, 3, 0, 0, byte(n >> 8), byte(n), 0, 0, 0, byte(side), 0, 0, 0, byte(side)}
		labels := []byte{0, 0, 8, 1, 0, 0, byte(n >> 8), byte(n)}
		for k := range n {
			labels = append(labels, byte(k%10))
			for p := range side * side {
				v := byte(k*p%50 + i)
				if p*10/(side*side) == k%10 {
					v += 200
				}
				images = append(images, v)
			}
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+"/"+name+"-images-idx3-ubyte"), images, 0o666))
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+"/"+name+"-labels-idx1-ubyte"), labels, 0o666))
	}
}

// mknpy FILE DIM... writes an array of small numbers.
func mkNPY(ts *testscript.TestScript, neg bool, args []string) {
	n := 1
	var shape []int
	for _, a := range args[1:] {
		d, err := strconv.Atoi(a)
		ts.Check(err)
		n *= d
		shape = append(shape, d)
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(i*37%101)/50 - 1
	}
	ts.Check(npy.WriteFile(ts.MkAbs(args[0]), shape, data))
}

// mknan FILE DIM... writes an array of 0 with a NaN in the middle.
func mkNaN(ts *testscript.TestScript, neg bool, args []string) {
	mkNPY(ts, neg, args)
	a, err := npy.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	clear(a.Float32)
	a.Float32[len(a.Float32)/2] = float32(math.NaN())
	ts.Check(npy.WriteFile(ts.MkAbs(args[0]), a.Shape, a.Float32))
}

// npyshape FILE DIM... checks the shape of an array.
func npyShape(ts *testscript.TestScript, neg bool, args []string) {
	a, err := npy.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if got, want := fmt.Sprint(a.Shape), "["+strings.Join(args[1:], " ")+"]"; got != want {
		ts.Fatalf("%s has shape %s, want %s", args[0], got, want)
	}
}

// isjson FILE checks that a file, or stdout, is one JSON value.
func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
}

// pngtext FILE KEY checks that a picture carries its provenance.
func pngText(ts *testscript.TestScript, neg bool, args []string) {
	text, err := imageio.ReadText(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, t := range text {
		if t.Key == args[1] && t.Value != "" {
			return
		}
	}
	ts.Fatalf("%s has no text %s", args[0], args[1])
}

// cut FILE N keeps the first N bytes of a file.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	n, _ := strconv.Atoi(args[1])
	ts.Check(os.Truncate(ts.MkAbs(args[0]), int64(n)))
}

// flipbit FILE OFFSET flips a bit, counted from the end if negative.
func flipBit(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	at, _ := strconv.ParseInt(args[1], 10, 64)
	if at < 0 {
		size, err := f.Seek(0, io.SeekEnd)
		ts.Check(err)
		at += size
	}
	b := []byte{0}
	_, err = f.ReadAt(b, at)
	ts.Check(err)
	b[0] ^= 4
	_, err = f.WriteAt(b, at)
	ts.Check(err)
}
