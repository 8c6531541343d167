package dataset

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// server serves one file the way the test wants it and notes what it was asked.
type server struct {
	*httptest.Server
	ranges []string
}

func serve(t *testing.T, h func(w http.ResponseWriter, r *http.Request)) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// content is what the servers of the tests hold; not compressible, several reads long.
func content() []byte {
	b := make([]byte, 300_000)
	r := newRandom(1)
	for i := range b {
		b[i] = byte(r.next())
	}
	return b
}

func one(b []byte) remoteSet {
	sum := md5.Sum(b)
	return remoteSet{"http://nowhere.invalid", []RemoteFile{{"f.gz", hex.EncodeToString(sum[:]), int64(len(b))}}}
}

// whole serves b as a good server does, with ranges.
func whole(b []byte, etag string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Type", "application/gzip")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
}

// broken serves the first n bytes of b and hangs up.
func broken(b []byte, n int, etag string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Type", "application/gzip")
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.Write(b[:n])
	}
}

// files lists a folder as "name:size name:size".
func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var b []string
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, fmt.Sprintf("%s:%d", e.Name(), fi.Size()))
	}
	return strings.Join(b, " ")
}

// Each case is a first call to a first server, then a second call to a second one.
func TestGet(t *testing.T) {
	b := content()
	other := bytes.Clone(b)
	other[0] ^= 1
	// A download broken off at 100,000 with the tag "v1" (4 bytes with its quotes).
	const stopped = "f.gz.part:100000 f.gz.part.tag:4"
	const done = "f.gz:300000"
	type step struct {
		handler http.HandlerFunc
		err     string // part of the error; "" for none
		files   string
		ranges  string // of the requests, joined by a comma
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Error(w, "sorry", code) }
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"whole, then nothing to do", []step{{whole(b, `"v1"`), "", done, ""}, {status(500), "", done, "none"}}},
		{"resumed", []step{{broken(b, 100000, `"v1"`), "broken off after 100000 bytes", stopped, ""}, {whole(b, `"v1"`), "", done, "bytes=100000-"}}},
		{"changed meanwhile", []step{{broken(other, 100000, `"v0"`), "unexpected EOF", stopped, ""}, {whole(b, `"v1"`), "", done, "bytes=100000-"}}},
		{"second server knows no ranges", []step{{broken(b, 100000, `"v1"`), "broken off", stopped, ""}, {func(w http.ResponseWriter, r *http.Request) { w.Write(b) }, "", done, "bytes=100000-"}}},
		{"no tag, so from the start", []step{{broken(b, 100000, ""), "broken off", "f.gz.part:100000", ""}, {whole(b, `"v1"`), "", done, ""}}},
		{"weak tag, so from the start", []step{{broken(b, 100000, `W/"v1"`), "broken off", "f.gz.part:100000", ""}, {whole(b, `"v1"`), "", done, ""}}},
		{"broken twice", []step{
			{broken(b, 100000, `"v1"`), "broken off", stopped, ""},
			{broken(b, 50, `"v2"`), "broken off after 50 bytes", "f.gz.part:50 f.gz.part.tag:4", "bytes=100000-"},
			{whole(b, `"v2"`), "", done, "bytes=50-"}}},
		{"resumed onto wrong bytes", []step{{broken(other, 100000, `"v1"`), "broken off", stopped, ""}, {whole(b, `"v1"`), "", done, "bytes=100000-,"}}},
		{"resumed onto bytes that were lost", []step{{broken(append(make([]byte, 100000), b[100000:]...), 100000, `"v1"`), "broken off", stopped, ""}, {whole(b, `"v1"`), "", done, "bytes=100000-,"}}},
		{"resumed, and wrong anyway", []step{{broken(other, 100000, `"v1"`), "broken off", stopped, ""}, {whole(other, `"v1"`), "checksum: got md5", "", "bytes=100000-,"}, {whole(b, `"v1"`), "", done, ""}}},
		{"wrong range", []step{{broken(b, 100000, `"v1"`), "broken off", stopped, ""}, {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-299999/300000")
			w.WriteHeader(206)
			w.Write(b)
		}, `content-range: got "bytes 0-299999/300000", want "bytes 100000-"`, stopped, "bytes=100000-"}}},
		{"part too long", []step{{broken(append(bytes.Clone(b), b...), 300001, `"v1"`), "broken off", "f.gz.part:300001 f.gz.part.tag:4", ""}, {whole(b, `"v1"`), "", done, "bytes=300001-,"}}},
		{"part complete", []step{{broken(append(bytes.Clone(b), b...), 300000, `"v1"`), "broken off", "f.gz.part:300000 f.gz.part.tag:4", ""}, {status(500), "", done, "none"}}},
		{"wrong file", []step{{whole(other, `"v1"`), "checksum: got md5", "", ""}}},
		{"too large, told", []step{{broken(make([]byte, 600001), 0, `"v1"`), "got 600001 bytes, want at most 600000", "", ""}}},
		{"too large, not told", []step{{func(w http.ResponseWriter, r *http.Request) {
			for range 700 {
				w.Write(make([]byte, 1000))
				w.(http.Flusher).Flush() // so that no length is sent
			}
		}, "got more than 600000 bytes", "", ""}}},
		{"404", []step{{status(404), "/f.gz: got status 404 Not Found", "", ""}}},
		{"500 keeps the part", []step{{broken(b, 100000, `"v1"`), "broken off", stopped, ""}, {status(500), "got status 500", stopped, "bytes=100000-"}}},
		{"web page", []step{{func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Write([]byte("<html>please log in"))
		}, "/f.gz: got a web page (status 200 OK", "", ""}}},
	} {
		cache := t.TempDir()
		for i, st := range tt.steps {
			s := serve(t, st.handler)
			err := get(context.Background(), "x", one(b), GetOptions{CacheDir: cache, Base: s.URL + "/", Client: s.Client()})
			if st.err == "" && err != nil || st.err != "" && (err == nil || !strings.Contains(err.Error(), st.err)) {
				t.Errorf("%s, step %d: got error %v, want %q", tt.name, i, err, st.err)
			}
			if err != nil && !strings.Contains(err.Error(), s.URL) {
				t.Errorf("%s, step %d: error %q does not name the address", tt.name, i, err)
			}
			if got := files(t, filepath.Join(cache, "x")); got != st.files {
				t.Errorf("%s, step %d: got files %q, want %q", tt.name, i, got, st.files)
			}
			got := strings.Join(s.ranges, ",")
			if len(s.ranges) == 0 {
				got = "none"
			}
			if got != st.ranges {
				t.Errorf("%s, step %d: got requests for %q, want %q", tt.name, i, got, st.ranges)
			}
		}
		if last := tt.steps[len(tt.steps)-1]; last.files == done {
			if got, err := os.ReadFile(filepath.Join(cache, "x", "f.gz")); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%s: the file has other bytes (%d), %v", tt.name, len(got), err)
			}
		}
	}
}

func TestGetReplacesDamagedFile(t *testing.T) {
	b := content()
	cache := t.TempDir()
	write(t, filepath.Join(cache, "x/f.gz"), []byte("damaged"))
	s := serve(t, whole(b, `"v1"`))
	if err := get(context.Background(), "x", one(b), GetOptions{CacheDir: cache, Base: s.URL}); err != nil {
		t.Fatal(err)
	}
	if got := files(t, filepath.Join(cache, "x")); got != "f.gz:300000" {
		t.Errorf("got files %q", got)
	}
}

func TestGetCancelKeepsPart(t *testing.T) {
	b := content()
	cache := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	arrived := make(chan bool)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.Write(b[:100000])
		w.(http.Flusher).Flush()
		<-arrived
		cancel()
		<-r.Context().Done()
	})
	part := filepath.Join(cache, "x/f.gz.part")
	go func() {
		for {
			if fi, err := os.Stat(part); err == nil && fi.Size() > 0 {
				close(arrived)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	err := get(ctx, "x", one(b), GetOptions{CacheDir: cache, Base: s.URL})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want context.Canceled", err)
	}
	if got := files(t, filepath.Join(cache, "x")); !strings.HasPrefix(got, "f.gz.part:") || !strings.HasSuffix(got, "f.gz.part.tag:4") {
		t.Errorf("got files %q", got)
	}
	good := serve(t, whole(b, `"v1"`))
	if err := get(context.Background(), "x", one(b), GetOptions{CacheDir: cache, Base: good.URL}); err != nil {
		t.Fatal(err)
	}
	if len(good.ranges) != 1 || !strings.HasPrefix(good.ranges[0], "bytes=") {
		t.Errorf("got requests for %q, want the rest", good.ranges)
	}
}

func TestGetProgress(t *testing.T) {
	b := content()
	set := one(b)
	set.files = append(set.files, set.files[0])
	set.files[1].Name = "g.gz"
	s := serve(t, whole(b, `"v1"`))
	var last, sum int64
	err := get(context.Background(), "x", set, GetOptions{CacheDir: t.TempDir(), Base: s.URL, Progress: func(done, total int64) {
		if done < last {
			t.Errorf("progress went from %d back to %d", last, done)
		}
		last, sum = done, total
	}})
	if err != nil || last != 600000 || sum != 600000 {
		t.Errorf("got %d of %d at the end, %v", last, sum, err)
	}
}

func TestGetRefuses(t *testing.T) {
	if err := Get(context.Background(), "imagenet", GetOptions{CacheDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "want one of cifar10") {
		t.Errorf("got error %v", err)
	}
	if err := Get(context.Background(), "mnist", GetOptions{}); err == nil {
		t.Error("no cache folder: got no error")
	}
	for _, name := range Public() {
		for _, f := range public[name].files {
			if len(f.MD5) != 32 || f.Size == 0 {
				t.Errorf("%s: %s: got md5 %q, size %d", name, f.Name, f.MD5, f.Size)
			}
		}
	}
}

// TestGetSilent: a server that says nothing, or nothing more, ends the download; what arrived is counted.
func TestGetSilent(t *testing.T) {
	b := content()
	for _, k := range []struct {
		name, want string
		send       int // bytes before the silence, -1: not even an answer
		etag       string
		kept       int64 // -1: some
		drips      bool  // a byte now and then instead of silence
	}{
		{"no answer", "no answer within 100ms", -1, "", 0, false},
		{"no more", "broken off after 50000 bytes: nothing arrived for 700ms", 50000, `"v1"`, 50000, false},
		{"no more, and no way to go on", "nothing arrived for 700ms", 50000, "", 0, false},
		{"hardly more", "less than 1024 bytes arrived in 1.4s", 50001, `"v1"`, -1, true},
	} {
		end := make(chan bool)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if k.send >= 0 {
				w.Header().Set("Content-Type", "application/gzip")
				if k.etag != "" {
					w.Header().Set("ETag", k.etag)
				}
				w.Write(b[:k.send])
				w.(http.Flusher).Flush()
			}
			for at := k.send; k.drips; at++ {
				select {
				case <-end:
					return
				case <-time.After(50 * time.Millisecond):
				}
				w.Write(b[at : at+1])
				w.(http.Flusher).Flush()
			}
			<-end
		}))
		dir := t.TempDir()
		answer := time.Minute // a busy machine may take its time for one
		if k.send < 0 {
			answer = 100 * time.Millisecond
		}
		err := get(context.Background(), "set", one(b), GetOptions{CacheDir: dir, Base: s.URL, Answer: answer, Stall: 700 * time.Millisecond})
		close(end)
		s.Close()
		var e *GetError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), k.want) || !strings.Contains(err.Error(), s.URL) || e.Kept != k.kept && k.kept >= 0 {
			t.Errorf("%s: got %v, kept %+v, want %q and %d", k.name, err, e, k.want, k.kept)
		}
		if left := files(t, filepath.Join(dir, "set")); k.send < 0 && left != "" {
			t.Errorf("%s: %s is left", k.name, left)
		}
	}
}
