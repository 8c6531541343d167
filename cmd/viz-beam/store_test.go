package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/deconvnet/viz/features"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Pictures in a store like Amazon's, half of them in a tar file, with the work folder there too, make the index of the
// same pictures in a folder: all but their names.
func TestObjectStore(t *testing.T) {
	command, dir := viz(t), photos(t, 12)
	args := []string{"features", "--model", "cifar10", "--layers", "1,2"}
	left1(t, exec.Command(command, append(args, "--out", "viz.idx", dir)...))
	want := readIndex(t, "viz.idx")

	backend := s3mem.New()
	if err := backend.CreateBucket("b"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	var pack bytes.Buffer
	w := tar.NewWriter(&pack)
	for i := range 12 {
		text, err := os.ReadFile(fmt.Sprintf("photos/%03d.png", i))
		if err != nil {
			t.Fatal(err)
		}
		if i < 5 {
			put(t, backend, fmt.Sprintf("photos/a/%03d.png", i), text)
			continue
		}
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("%03d.png", i), Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, backend, "photos/b.tar", pack.Bytes())

	query := "?region=us-east-1&use_path_style=true&endpoint=" + server.URL
	if out, err := program("list", "--out", "list.jsonl", "s3://b/photos"+query).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	work := []string{"--work", "s3://b/work" + query, "--unit", "5"}
	for name, more := range map[string][]string{
		"a list":  {"--list", "list.jsonl", "--processes", "2", "--workers", "1"},
		"a place": {"s3://b/photos" + query},
	} {
		left1(t, program(append(append(append(args, work...), "--out", "s3.idx", "--force"), more...)...))
		got := readIndex(t, "s3.idx")
		if len(got.Skipped) != 1 || !strings.Contains(got.Skipped[0].Error, "s3://b/photos/b.tar/006.png") || got.Named[0].Name != "s3://b/photos/a/000.png" {
			t.Errorf("%s: %v, %v", name, got.Skipped, got.Named[:1])
		}
		if a, b := anonymous(t, got), anonymous(t, want); a != b {
			t.Errorf("%s: another index than that of the folder", name)
		}
		if left, err := backend.ListBucket("b", &gofakes3.Prefix{HasPrefix: true, Prefix: "work/"}, gofakes3.ListBucketPage{}); err != nil || len(left.Contents) > 0 {
			t.Errorf("%s: %d objects are left in the work folder, %v", name, len(left.Contents), err)
		}
	}
}

func put(t *testing.T, b gofakes3.Backend, key string, text []byte) {
	t.Helper()
	if _, err := b.PutObject("b", key, map[string]string{}, bytes.NewReader(text), int64(len(text)), nil); err != nil {
		t.Fatal(err)
	}
}

func readIndex(t *testing.T, name string) *features.Index {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, err := features.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// anonymous is an index without what names its pictures.
func anonymous(t *testing.T, x *features.Index) string {
	t.Helper()
	y := *x
	y.Source, y.Named, y.Skipped = features.Source{}, nil, nil
	for _, s := range x.Skipped {
		y.Skipped = append(y.Skipped, features.Skip{Image: s.Image})
	}
	var text bytes.Buffer
	if err := y.Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
