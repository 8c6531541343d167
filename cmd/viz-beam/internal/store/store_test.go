package store

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/deconvnet/viz/images"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
)

// picture is a small PNG of one colour.
func picture(t *testing.T, c uint8) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range 16 {
		img.SetNRGBA(i%4, i/4, color.NRGBA{c, c, c, 255})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pack makes a tar file of names and contents in turn.
func pack(t *testing.T, files ...any) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		text := files[i+1].([]byte)
		if err := w.WriteHeader(&tar.Header{Name: files[i].(string), Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// fill writes the objects that the tests below list.
func fill(t *testing.T, b *blob.Bucket) {
	t.Helper()
	long := strings.Repeat("d/", 60) + "5.png" // a header of its own in a tar file
	for key, text := range map[string][]byte{
		"p/b/2.png": picture(t, 2), "p/a/1.png": picture(t, 1), "p/a/.hidden.png": picture(t, 9), "p/notes.txt": []byte("x"),
		"p/c/bad.png": []byte("no picture"), "q/0.png": picture(t, 7),
		"p/s/000.tar": pack(t, "x/3.png", picture(t, 3), "x/3.cls", []byte("17\n"), "x/4.json", []byte("{}"), "x/4.png", picture(t, 4), long, picture(t, 5)),
	} {
		if err := b.WriteAll(t.Context(), key, text, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// listed lists what fill wrote below p, checks it, and opens it.
func listed(t *testing.T, name string, open Open) {
	t.Helper()
	ctx := t.Context()
	place, err := ParsePictures(name)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	passed := 0
	n, err := Find(ctx, &text, []Place{place}, open, Finding{Note: func(string) { passed++ }})
	if err != nil || n != 6 || passed != 1 {
		t.Fatalf("%d pictures, %d passed over, %v", n, passed, err)
	}
	l, err := ReadList("list", bytes.NewReader(text.Bytes()), open)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for limit := 1; limit < n; limit++ {
		var part bytes.Buffer
		if got, err := Find(ctx, &part, []Place{place, place}, open, Finding{Limit: limit}); got != limit || err != nil {
			t.Errorf("limit %d: %d pictures, %v", limit, got, err)
		}
	}
	all, err := l.Window(ctx, 0, l.Len())
	if err != nil {
		t.Fatal(err)
	}
	if all.Hash() != l.Hash() {
		t.Errorf("the list's hash is %s, its pictures' %s", l.Hash(), all.Hash())
	}
	base := place.Name
	if !strings.HasSuffix(base, "/p") { // of a folder the place is p itself
		base += "/p"
	}
	for i, want := range []struct {
		name  string
		label int
		grey  uint8
	}{{"a/1.png", -1, 1}, {"b/2.png", -1, 2}, {"c/bad.png", -1, 0}, {"s/000.tar/x/3.png", 17, 3}, {"s/000.tar/x/4.png", -1, 4}, {"s/000.tar/" + strings.Repeat("d/", 60) + "5.png", -1, 5}} {
		if item := all.Items[i]; item.Name != base+"/"+want.name || item.Label != want.label {
			t.Errorf("picture %d is %s, label %d, want %s, %d", i, item.Name, item.Label, base+"/"+want.name, want.label)
		}
		check(t, all, i, want.grey)
		one, err := l.Window(ctx, i, i+1) // any part by itself
		if err != nil {
			t.Fatal(err)
		}
		check(t, one, 0, want.grey)
	}
}

// check opens a picture, which is of one grey, or none if that is 0.
func check(t *testing.T, l *images.List, i int, grey uint8) {
	t.Helper()
	p, err := l.Open(i)
	if grey == 0 {
		if _, broken := errors.AsType[*Broken](err); err == nil || broken || !strings.Contains(err.Error(), l.Items[i].Name) {
			t.Errorf("%s: %v", l.Items[i].Name, err)
		}
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	if r, _, _, _ := p.Image.At(1, 1).RGBA(); uint8(r>>8) != grey {
		t.Errorf("%s is grey %d, want %d", l.Items[i].Name, r>>8, grey)
	}
}

func TestMem(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	fill(t, b)
	listed(t, "mem://one/p/", func(context.Context, string) (*blob.Bucket, error) { return blob.PrefixedBucket(b, ""), nil })
}

func TestFolder(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	if !strings.HasPrefix(dir, "/") {
		t.Skip("a path with a drive")
	}
	b, err := Work(t.Context(), dir, OpenBucket)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	fill(t, b)
	listed(t, "file://"+dir+"/p", OpenBucket)
	if _, err := ParsePictures("file://" + dir + "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := OpenBucket(t.Context(), "file://"+dir+"/none"); err == nil {
		t.Error("a folder that is not there was made")
	}
	one, err := ParsePictures("file://" + dir + "/q/0.png")
	if err != nil || one.Prefix != "0.png" {
		t.Errorf("%+v, %v", one, err)
	}
	var text bytes.Buffer
	if n, err := Find(t.Context(), &text, []Place{one}, OpenBucket, Finding{}); n != 1 || err != nil {
		t.Errorf("one file: %d, %v", n, err)
	}
}

// s3 serves a bucket "photos" as Amazon's store does, and returns its URL.
func s3(t *testing.T, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("photos"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(wrap(gofakes3.New(backend).Server()))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	return "s3://photos?region=us-east-1&use_path_style=true&endpoint=" + server.URL
}

func TestS3(t *testing.T) {
	url := s3(t, func(h http.Handler) http.Handler { return h })
	b, err := OpenBucket(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	fill(t, b)
	listed(t, strings.Replace(url, "photos?", "photos/p/?", 1), OpenBucket)
	work, err := Work(t.Context(), strings.Replace(url, "photos?", "photos/work?", 1), OpenBucket)
	if err != nil {
		t.Fatal(err)
	}
	defer work.Close()
	if err := work.WriteAll(t.Context(), "x", []byte("1"), nil); err != nil {
		t.Fatal(err)
	}
	if text, err := b.ReadAll(t.Context(), "work/x"); err != nil || string(text) != "1" {
		t.Errorf("%q, %v", text, err)
	}
}

// An error of the store is none of the picture: it would be left out today and not tomorrow.
func TestBroken(t *testing.T) {
	var down atomic.Bool
	url := s3(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if down.Load() {
				http.Error(w, "no", http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	b, err := OpenBucket(t.Context(), url+"&rate_limiter_capacity=1")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	fill(t, b)
	if text, err := read(t.Context(), b, "q/0.png", 0, -1); err != nil || len(text) == 0 {
		t.Fatal(err)
	}
	_, err = read(t.Context(), b, "q/none.png", 0, -1)
	if _, broken := errors.AsType[*Broken](err); err == nil || broken {
		t.Errorf("an object that is not there: %v", err)
	}
	_, err = read(t.Context(), b, "q/0.png", 10, 1<<20)
	if _, broken := errors.AsType[*Broken](err); err == nil || broken || !strings.Contains(err.Error(), "another than when it was listed") {
		t.Errorf("a part behind the end: %v", err)
	}
	down.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := read(ctx, b, "q/0.png", 0, -1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if !passing(errors.New("connection refused")) || passing(os.ErrNotExist) || passing(final{io.EOF}) {
		t.Error("what may go away by itself is taken for what does not, or the other way round")
	}
}

// Classes are the folders below a place, by name over all places.
func TestClasses(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	fill(t, b)
	open := func(context.Context, string) (*blob.Bucket, error) { return blob.PrefixedBucket(b, ""), nil }
	var text bytes.Buffer
	p, err := Parse("mem://one/p")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), &text, []Place{p}, open, Finding{Classes: true}); err != nil {
		t.Fatal(err)
	}
	l, err := ReadList("list", &text, open)
	if err != nil {
		t.Fatal(err)
	}
	all, err := l.Window(t.Context(), 0, 3)
	if err != nil || all.Class(0) != "a" || all.Class(1) != "b" || all.Class(2) != "c" || len(l.Classes()) != 3 {
		t.Errorf("%v, %v, %v", all.Items, l.Classes(), err)
	}
}

// A list that was cut or changed is refused, with the line.
func TestListDamage(t *testing.T) {
	head := `{"format":"viz list of pictures","version":1,"places":[{"bucket":"mem://","name":"mem://"}]}` + "\n"
	for _, c := range []struct{ text, want string }{
		{"", "not a list"},
		{"\x89PNG\n", "not a list"},
		{strings.Replace(head, "1,", "2,", 1), "version 2"},
		{head, "the list is cut"},
		{head + `{"pictures":0}` + "\n", "no pictures"},
		{head + `{"key":"a"}` + "\n", "the list is cut"},
		{head + `{"key":"a"}` + "\n" + `{"pictures":2}` + "\n", "does not fit the 1 pictures"},
		{head + `{"key":"a"}` + "\n" + `{"pictures":1}` + "\n" + `{"key":"b"}` + "\n", "does not fit"},
		{head + `{"key":"a","in":1}` + "\n" + `{"pictures":1}` + "\n", "line 2: want a key and one of 1 places"},
		{head + `{"member":"a"}` + "\n" + `{"pictures":1}` + "\n", "line 2"},
		{head + `{"key":"a","at":-1}` + "\n" + `{"pictures":1}` + "\n", "line 2"},
		{head + `{"key":` + "\n" + `{"pictures":1}` + "\n", "line 2"},
	} {
		if _, err := ReadList("l", strings.NewReader(c.text), OpenBucket); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, bucket, prefix, shown, err string }{
		{"s3://b/a/c?region=x", "s3://b?region=x", "a/c", "s3://b", ""},
		{"gs://b", "gs://b", "", "gs://b", ""},
		{"azblob://b/x", "azblob://b", "x", "azblob://b", ""},
		{"file:///a/b/", "file:///a/b/", "", "file:///a/b", ""},
		{"file:///a%20b", "file:///a b/", "", "file:///a b", ""},
		{"file://a/b", "", "", "", "three slashes"},
		{"s3:///x", "", "", "", "names no bucket"},
		{"http://x/y", "", "", "", "want s3://"},
	} {
		p, err := Parse(c.name)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil || p != (Place{c.bucket, c.prefix, c.shown}) {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
	for name, want := range map[string]bool{"s3://b": true, "a/b.png": false, `C:\x`: false, "a/s3://b": false} {
		if IsURL(name) != want {
			t.Errorf("IsURL(%q) is %v", name, !want)
		}
	}
}

// Pictures cannot be read from the middle of a compressed tar file, and a damaged one is an error.
func TestTarRefused(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	open := func(context.Context, string) (*blob.Bucket, error) { return blob.PrefixedBucket(b, ""), nil }
	whole := pack(t, "1.png", picture(t, 1), "1.cls", []byte("x"))
	for key, text := range map[string][]byte{"a/x.tar.gz": nil, "b/x.tar": whole[:540], "c/x.tar": whole} {
		if err := b.WriteAll(t.Context(), key, text, nil); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string]string{"a": "unpack it", "b": "not a whole tar file", "c": `label "x"`, "none": "no pictures are there"} {
		p, err := Parse("mem://x/" + prefix)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Find(t.Context(), io.Discard, []Place{p}, open, Finding{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", prefix, err, want)
		}
	}
}

// A list of many pictures is its text and four bytes a picture.
func TestManyNames(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	var text bytes.Buffer
	w, err := newListWriter(&text, listHead{Places: []listPlace{{"mem://", "mem://"}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.add(Entry{Key: fmt.Sprintf("train/n%08d/n%08d_%05d.JPEG", i/1300, i/1300, i%1300)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	size := uint64(text.Len())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l, err := ReadList("list", &text, OpenBucket)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := after.HeapAlloc - before.HeapAlloc; after.HeapAlloc > before.HeapAlloc && held > 3*size {
		t.Errorf("%d pictures hold %d MB, their text is %d MB", n, held>>20, size>>20)
	}
	last, err := l.Window(t.Context(), n-2, n)
	if err != nil || l.Len() != n || last.Items[1].Name != fmt.Sprintf("mem:///train/n%08d/n%08d_%05d.JPEG", (n-1)/1300, (n-1)/1300, (n-1)%1300) {
		t.Errorf("%v, %v", last.Items, err)
	}
}
