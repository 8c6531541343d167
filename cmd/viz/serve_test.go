package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/npy"
	"github.com/deconvnet/viz/internal/web"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
)

// TestServeCommands: the line that the page shows for each kind of figure writes the bytes that the page saves.
func TestServeCommands(t *testing.T) {
	star, err := os.ReadFile("../../testdata/star.png")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, name := range []string{"star.png", "a 'b' $c.png", "-x.png"} {
		if err := os.WriteFile(name, star, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files := pageOf(t, images.Spec{Paths: []string{"star.png", "a 'b' $c.png", "./-x.png"}})
	data := pageOf(t, images.Spec{Data: "shapes", Limit: 9, Seed: 1})
	for _, c := range []struct {
		page  string
		query string
	}{
		{files, "kind=activations&image=0&layer=relu2&scale=map"},
		{data, "kind=activations&image=4&layer=fc1"},
		{files, "kind=unit&image=1&unit=relu3:5:2:2&rule=guided"},
		{data, "kind=unit&image=3&unit=relu2:5:2:2"},
		{files, "kind=occlusion&image=0&patch=9x5&stride=5&fill=noise:1&class=ring"},
		{data, "kind=occlusion&image=8&stride=8&layer=relu3&soft=2"},
		{files, "kind=occlusion&image=2&position=4,7&method=box"},
		{files, "kind=gradcam&image=2&class=disc"},
		{data, "kind=attribution&image=2&method=saliency,gradcam&class=1"},
		{files, "kind=attribution&image=0&method=ig"},
		{files, "kind=filters&layer=conv1"},
		{files, "kind=filters&layer=2&scale=tile"},
		{files, "kind=top&layer=relu2&maps=5"},
		{data, "kind=top&layer=relu3&maps=7&rule=gradient"},
		{files, "kind=classes&image=1"},
		{data, "kind=classes&image=5"},
	} {
		q, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		if q.Get("kind") == "top" {
			asked(t, c.page+"/api/index/scan?layer="+q.Get("layer"))
		}
		sameBytes(t, c.page, c.query)
	}
}

// TestServeMasks: a brushed mask covers the same pixels in the page, in the figure that it saves, and in the command, also
// where images of the input's size are resized and cropped.
func TestServeMasks(t *testing.T) {
	star, err := os.ReadFile("../../testdata/star.png")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("star.png", star, 0o644); err != nil {
		t.Fatal(err)
	}
	net, err := cmdline.OpenModel(t.Context(), "shapes")
	if err != nil {
		t.Fatal(err)
	}
	net.Preprocess.Always, net.Preprocess.Short = true, 40
	if err := model.Save("always.bin", net, nil); err != nil {
		t.Fatal(err)
	}
	mask := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for i := range 90 {
		mask.SetNRGBA(3+i%9, 14+i/9, color.NRGBA{R: 255, A: 255})
	}
	mask.SetNRGBA(31, 0, color.NRGBA{G: 1, A: 128})
	mask.SetNRGBA(0, 31, color.NRGBA{B: 255, A: 127}) // transparent
	var brushed bytes.Buffer
	if err := png.Encode(&brushed, mask); err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"shapes", "always.bin"} {
		page := pageOfNetwork(t, network, images.Spec{Paths: []string{"star.png"}})
		r, err := http.NewRequest("POST", page+"/api/mask?image=0&fill=noise:1&class=ring", bytes.NewReader(brushed.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Viz", "1")
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		var spot struct {
			Mask    string
			Classes []struct{ Probability float32 }
		}
		if err := json.NewDecoder(a.Body).Decode(&spot); err != nil || a.StatusCode != 200 {
			t.Fatalf("%d %v", a.StatusCode, err)
		}
		file := asked(t, page+"/api/mask?as=npy&mask="+spot.Mask)
		if err := os.WriteFile("mask-"+spot.Mask+".npy", file, 0o644); err != nil {
			t.Fatal(err)
		}
		array, err := npy.Read(bytes.NewReader(file), 1<<20)
		if err != nil || len(array.Int32) != 1024 || array.Int32[14*32+3] < 0 || array.Int32[31] < 0 || array.Int32[31*32] >= 0 || array.Int32[14*32+2] >= 0 {
			t.Errorf("the mask is %v, %v", array, err)
		}
		query := "kind=occlusion&image=0&fill=noise:1&class=ring&method=box&mask=" + spot.Mask
		var figure view.OcclusionNumbers
		if err := json.Unmarshal(asked(t, page+"/api/figure?as=json&"+query), &figure); err != nil {
			t.Fatal(err)
		}
		if got := figure.Classes[0].Prob; len(got) != 1 || got[0] != spot.Classes[0].Probability || got[0] == figure.Classes[0].CleanProb {
			t.Errorf("%s: the command has %v, the page %v", network, got, spot.Classes[0])
		}
		sameBytes(t, page, query)
	}
}

// pageOf is a page on the built-in network and some pictures.
func pageOf(t *testing.T, spec images.Spec) string {
	t.Helper()
	return pageOfNetwork(t, "shapes", spec)
}

func pageOfNetwork(t *testing.T, network string, spec images.Spec) string {
	t.Helper()
	list, err := images.Open(context.Background(), spec, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(2)
	t.Cleanup(engine.Close)
	net, err := cmdline.OpenModel(t.Context(), network)
	if err != nil {
		t.Fatal(err)
	}
	s, err := web.New(web.Options{Nets: []web.Net{{Session: view.NewSession(engine, net), Args: []string{"--model", network}}},
		List: list, Args: cmdline.ImageArguments(spec), Version: version()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return server.URL
}

// asked is what the page answers.
func asked(t *testing.T, address string) []byte {
	t.Helper()
	r, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 {
		t.Fatalf("%s: %d %v %s", address, r.StatusCode, err, body)
	}
	return body
}

// sameBytes runs a figure's command as a shell would, and compares what it wrote with what the page saves.
func sameBytes(t *testing.T, page, query string) {
	t.Helper()
	var c struct {
		Args     []string
		Line     string
		Name     string
		NPY, PNG bool
	}
	if err := json.Unmarshal(asked(t, page+"/api/command?"+query), &c); err != nil {
		t.Fatal(err)
	}
	if read := shellWords(c.Line); !slices.Equal(read, append([]string{"viz"}, c.Args...)) {
		t.Errorf("%s: a shell reads %q, want %q", query, read, c.Args)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := &exec.Cmd{Path: exe, Args: append([]string{"viz"}, c.Args...), Stdout: &stdout, Stderr: &stderr, Env: append(os.Environ(), "VIZ_MODEL=")}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", c.Line, err, stderr.Bytes())
	}
	for _, as := range []string{"png", "npy", "json"} {
		if as == "png" && !c.PNG || as == "npy" && !c.NPY {
			continue
		}
		saved := asked(t, page+"/api/figure?"+query+"&as="+as)
		made := stdout.Bytes()
		if c.PNG {
			if made, err = os.ReadFile(c.Name + "." + as); err != nil {
				t.Errorf("%s: %v", c.Line, err)
				continue
			}
		}
		if !bytes.Equal(saved, made) {
			t.Errorf("%s: the page saves %d bytes of %s, the command makes %d others\n%.300s\n%.300s", c.Line, len(saved), as, len(made), printable(as, saved), printable(as, made))
		}
	}
	left, err := filepath.Glob("*.npy")
	if err != nil || !c.NPY && len(left) > 0 {
		t.Errorf("%s: the command writes %v, which the page does not save", c.Line, left)
	}
	for _, ext := range []string{".png", ".npy", ".json"} {
		os.Remove(c.Name + ext)
	}
}

func printable(as string, data []byte) string {
	if as == "json" {
		return string(data)
	}
	return fmt.Sprintf("%.120q", data)
}

// shellWords reads a line as a shell does that knows single quotes and backslashes.
func shellWords(line string) (words []string) {
	var w strings.Builder
	in, quoted, escaped := false, false, false
	for _, r := range line {
		switch {
		case escaped:
			w.WriteRune(r)
			escaped = false
		case r == '\'':
			quoted, in = !quoted, true
		case !quoted && r == '\\':
			escaped, in = true, true
		case !quoted && r == ' ':
			if in {
				words = append(words, w.String())
			}
			w.Reset()
			in = false
		default:
			w.WriteRune(r)
			in = true
		}
	}
	if in {
		words = append(words, w.String())
	}
	return words
}

// TestServe starts the page on a folder of checkpoints, opens its address, and interrupts it.
func TestServe(t *testing.T) {
	t.Chdir(t.TempDir())
	net, err := cmdline.OpenModel(t.Context(), "shapes")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		other, err := model.Redraw(net, []string{"conv1"}, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := model.Save(fmt.Sprintf("ckpt-%d.bin", 8+i), other, nil); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, in := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{"viz", "serve", "--addr", "127.0.0.1:0", "--model", ".", "--limit", "3"}, in, &stderr)
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.Jar = jar
	defer func() { http.DefaultClient.Jar = nil }()
	if body := asked(t, strings.TrimSpace(line)); !bytes.Contains(body, []byte("<title>viz</title>")) {
		t.Errorf("the page is %s", body)
	}
	page, _, _ := strings.Cut(line, "/?")
	if body := asked(t, page+"/api/state"); !bytes.Contains(body, []byte(`"checkpoints":3`)) {
		t.Errorf("the state is %.200s", body)
	}
	sameBytes(t, page, "kind=evolution&layer=1")
	sameBytes(t, page, "kind=filters&layer=conv1&checkpoint=1")
	var c struct{ Args []string }
	if err := json.Unmarshal(asked(t, page+"/api/command?kind=evolution&layer=1"), &c); err != nil || !slices.Contains(c.Args, "ckpt-8.bin") ||
		slices.Index(c.Args, "ckpt-9.bin") > slices.Index(c.Args, "ckpt-10.bin") {
		t.Errorf("the checkpoints are %v: %v", c.Args, err)
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d\n%s", got, stderr.Bytes())
	}
}

// TestServeRefuses: mistakes on the command line are found before anything is served.
func TestServeRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"--addr nowhere": "--addr nowhere: ",
		"--model shapes --model shapes --model cifar10": "3 networks are given: the page compares two",
		"--model testdata":            "folder testdata holds no ckpt.bin and no ckpt-*.bin",
		"--addr 0.0.0.0:0 --no-token": "--no-token goes with an address of this machine only",
		"--memory little":             "--memory little",
		"--features nothing.idx":      "nothing.idx",
	} {
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), append([]string{"viz", "serve"}, strings.Fields(line)...), &stdout, &stderr); code == 0 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: exit code %d, %q, want %q", line, code, stderr.String(), want)
		}
	}
}
