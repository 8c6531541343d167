package dataset

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/deconvnet/viz/internal/imageio"
)

// remoteSet is a public data set: files below one base address.
type remoteSet struct {
	base  string
	files []RemoteFile
}

// RemoteFile is known by the MD5 its publisher gives, which guards against damage, not against malice.
// Size is for progress, and twice it is the most that is downloaded.
type RemoteFile struct {
	Name, MD5 string
	Size      int64
}

var public = map[string]remoteSet{
	"cifar10": {"https://www.cs.toronto.edu/~kriz", []RemoteFile{
		{"cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 170052171},
	}},
	"mnist": {"https://ossci-datasets.s3.amazonaws.com/mnist", []RemoteFile{
		{"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9912422},
		{"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28881},
		{"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1648877},
		{"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4542},
	}},
	"fashion-mnist": {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com", []RemoteFile{
		{"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26421880},
		{"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29515},
		{"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4422102},
		{"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5148},
	}},
}

// GetOptions are the options of [Get].
type GetOptions struct {
	// CacheDir is the folder that gets a folder for each set. It is made if need be. Required.
	CacheDir string
	// Base replaces the address the files are fetched from; "/FILE" is appended. For mirrors and tests.
	Base string
	// Files replaces the files that the set is known to have. For tests.
	Files []RemoteFile
	// Client makes the requests; nil means http.DefaultClient, which honours the proxy variables.
	Client *http.Client
	// Answer is how long a server may take to begin its answer, Stall how long nothing may arrive after that; 0 means
	// 30 s and 60 s.
	Answer, Stall time.Duration
	// Progress, if not nil, is called from Get's goroutine with the bytes of the set that are there and
	// the bytes it has in all.
	Progress func(done, total int64)
}

// GetError is an error of [Get]. Kept is how many bytes are there that the next call need not fetch again.
type GetError struct {
	Err  error
	Kept int64
}

func (e *GetError) Error() string { return e.Err.Error() }
func (e *GetError) Unwrap() error { return e.Err }

// Get fetches a public data set ([Public]) into CacheDir/name, where [Open] finds it. Files that are there
// and have the right checksum are left alone.
//
// A file is loaded to FILE.part, checked, and renamed. When the transfer breaks off or ctx ends, FILE.part
// stays and the next call goes on from there, if the server says the file is still the same (ETag or
// Last-Modified, kept in FILE.part.tag). A file with the wrong checksum is removed and is an error.
// Errors are of type *[GetError] once fetching has begun, and name the address and the status. Two calls at once for the same set spoil each other's download.
func Get(ctx context.Context, name string, o GetOptions) error {
	set, ok := public[name]
	if !ok {
		return fmt.Errorf("get: got %q, want one of %s", name, strings.Join(Public(), ", "))
	}
	return get(ctx, name, set, o)
}

func get(ctx context.Context, name string, set remoteSet, o GetOptions) error {
	if o.CacheDir == "" {
		return fmt.Errorf("get %s: no cache folder given", name)
	}
	if o.Base != "" {
		set.base = o.Base
	}
	if o.Files != nil {
		set.files = o.Files
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.Answer <= 0 {
		o.Answer = 30 * time.Second
	}
	if o.Stall <= 0 {
		o.Stall = time.Minute
	}
	dir := filepath.Join(o.CacheDir, name)
	if err := imageio.MakeDir(dir, 0o755); err != nil {
		return fmt.Errorf("get %s: %w", name, err)
	}
	var before, total int64
	for _, f := range set.files {
		total += f.Size
	}
	for _, f := range set.files {
		d := download{
			file: f, url: strings.TrimSuffix(set.base, "/") + "/" + f.Name, path: filepath.Join(dir, f.Name), client: o.Client, answer: o.Answer, stall: o.Stall,
			progress: func(done int64) {
				if o.Progress != nil {
					o.Progress(before+min(done, f.Size), total)
				}
			},
		}
		if err := d.run(ctx); err != nil {
			kept := d.kept()
			for _, f := range set.files {
				if fi, err := os.Stat(filepath.Join(dir, f.Name)); err == nil {
					kept += fi.Size()
				}
			}
			os.Remove(dir) // refuses unless empty
			return &GetError{fmt.Errorf("get %s: %w", name, err), kept}
		}
		d.progress(f.Size)
		before += f.Size
	}
	return nil
}

// download is the fetching of one file.
type download struct {
	file      RemoteFile
	url, path string
	client    *http.Client
	answer    time.Duration
	stall     time.Duration
	progress  func(done int64)
}

// kept is how much of a .part the next call can go on from.
func (d *download) kept() int64 {
	tag, err := imageio.ReadPlain(d.tag())
	fi, serr := os.Stat(d.part())
	if err != nil || serr != nil || len(tag) == 0 {
		return 0
	}
	return fi.Size()
}

func (d *download) part() string { return d.path + ".part" }
func (d *download) tag() string  { return d.path + ".part.tag" }

func (d *download) run(ctx context.Context) error {
	if sum, err := fileMD5(ctx, d.path); err == nil && sum == d.file.MD5 {
		d.discard() // what a process that was killed left beside it
		return nil
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// A .part can be complete if the last call ended between the last byte and the rename.
	if sum, err := fileMD5(ctx, d.part()); err != nil || sum != d.file.MD5 {
		if err := ctx.Err(); err != nil {
			return err
		}
		sum, err := d.fetched(ctx)
		if err != nil {
			return err
		}
		if sum != d.file.MD5 {
			return fmt.Errorf("%s: checksum: got md5 %s, want %s", d.url, sum, d.file.MD5)
		}
	}
	if err := os.Rename(d.part(), d.path); err != nil {
		return err
	}
	os.Remove(d.tag())
	if err := imageio.SyncDir(filepath.Dir(d.path)); err != nil {
		return fmt.Errorf("sync %s: %w", filepath.Dir(d.path), err)
	}
	return nil
}

// fetched completes the .part file and returns its checksum. A wrong one goes; if some of its bytes were there before,
// they may be what was spoilt, as a loss of power does, and all of it is fetched once more.
func (d *download) fetched(ctx context.Context) (sum string, err error) {
	for {
		before := d.kept()
		if err := d.fetch(ctx); err != nil {
			return "", err
		}
		if sum, err = fileMD5(ctx, d.part()); err != nil || sum == d.file.MD5 {
			return sum, err
		}
		d.discard()
		if before == 0 {
			return sum, nil
		}
	}
}

func (d *download) discard() {
	os.Remove(d.part())
	os.Remove(d.tag())
}

// fetch completes the .part file, going on from what is there if the server agrees.
func (d *download) fetch(ctx context.Context) error {
	user := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(d.answer, func() { cancel(fmt.Errorf("no answer within %v", d.answer)) })
	defer late.Stop()
	resp, have, err := d.ask(ctx)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	late.Stop()
	body := &meter{r: resp.Body, report: func(done int64) { d.progress(done) }}
	go body.watch(ctx, d.stall, cancel)
	if have, err = d.accept(resp, have); err != nil {
		return err
	}
	w, err := d.open(resp, have)
	if err != nil {
		return err
	}
	limit := d.limit()
	body.done = have
	n, err := io.Copy(w, io.LimitReader(body, limit-have+1))
	// What did arrive is kept for the next time, so it is synced also after an error.
	if serr := w.Sync(); err == nil {
		err = serr
	}
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil && user.Err() != nil:
		return fmt.Errorf("%s: stopped after %d bytes: %w", d.url, have+n, user.Err())
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%s: broken off after %d bytes: %w", d.url, have+n, context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("%s: broken off after %d bytes: %w", d.url, have+n, err)
	case have+n > limit:
		d.discard()
		return fmt.Errorf("%s: got more than %d bytes, want at most that", d.url, limit)
	}
	return nil
}

// limit is the most bytes that a file may have.
func (d *download) limit() int64 { return 2 * d.file.Size }

// ask asks for what is missing, and for all if the server does not have that: then
// .part is as long as the file or longer, and not the file.
func (d *download) ask(ctx context.Context) (resp *http.Response, have int64, err error) {
	have = d.kept()
	tag, _ := imageio.ReadPlain(d.tag())
	resp, err = d.request(ctx, have, string(tag))
	if err == nil && resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		resp.Body.Close()
		d.discard()
		have = 0
		resp, err = d.request(ctx, 0, "")
	}
	return resp, have, err
}

// accept checks an answer and returns how many of the bytes we have it goes on from.
func (d *download) accept(resp *http.Response, have int64) (int64, error) {
	switch {
	case resp.StatusCode == http.StatusPartialContent && have > 0:
		want := "bytes " + strconv.FormatInt(have, 10) + "-"
		if got := resp.Header.Get("Content-Range"); !strings.HasPrefix(got, want) {
			return 0, fmt.Errorf("%s: content-range: got %q, want %q...", d.url, got, want)
		}
	case resp.StatusCode == http.StatusOK:
		have = 0
	default:
		return 0, fmt.Errorf("%s: got status %s, want 200 OK", d.url, resp.Status)
	}
	if t := resp.Header.Get("Content-Type"); strings.HasPrefix(t, "text/html") {
		return 0, fmt.Errorf("%s: got a web page (status %s, %s), want the file", d.url, resp.Status, t)
	}
	if resp.ContentLength > d.limit()-have {
		return 0, fmt.Errorf("%s: got %d bytes, want at most %d", d.url, have+resp.ContentLength, d.limit())
	}
	return have, nil
}

// open opens the .part file to go on, or, with have 0, to begin again. The tag of an
// older file must not vouch for the new bytes, whatever happens from here on.
func (d *download) open(resp *http.Response, have int64) (*os.File, error) {
	if have > 0 {
		return os.OpenFile(d.part(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	}
	os.Remove(d.tag())
	w, err := os.OpenFile(d.part(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	if tag := validator(resp.Header); tag != "" {
		if err := os.WriteFile(d.tag(), []byte(tag), 0o644); err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}

func (d *download) request(ctx context.Context, have int64, tag string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return nil, err
	}
	// The files are gzip; a transport that unpacks them on the way would spoil length and checksum.
	req.Header.Set("Accept-Encoding", "identity")
	if have > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(have, 10)+"-")
		req.Header.Set("If-Range", tag)
	}
	resp, err := d.client.Do(req) // its error names the method and the address
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%s: %w", d.url, cause)
	}
	return resp, err
}

// validator is what If-Range can be asked with: a strong ETag, or else the date (RFC 9110, 13.1.5).
func validator(h http.Header) string {
	if e := h.Get("ETag"); e != "" && !strings.HasPrefix(e, "W/") {
		return e
	}
	return h.Get("Last-Modified")
}

// meter reports each megabyte.
type meter struct {
	r          io.Reader
	done, next int64
	report     func(done int64)
	fresh      atomic.Int64 // bytes that watch has not seen
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.done += int64(n)
	m.fresh.Add(int64(n))
	if m.done >= m.next {
		m.report(m.done)
		m.next = m.done + 1<<20
	}
	return n, err
}

// leastBytes is what must arrive in twice the time that nothing may: a server that sends a byte now and then is as silent
// as one that sends none.
const leastBytes = 1 << 10

// watch cancels a download when too little arrives.
func (m *meter) watch(ctx context.Context, stall time.Duration, cancel context.CancelCauseFunc) {
	const parts = 4
	tick := time.NewTicker(max(stall/parts, 1))
	defer tick.Stop()
	silent, slow, got := 0, 0, int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := m.fresh.Swap(0)
		silent, slow, got = silent+1, slow+1, got+n
		if n > 0 {
			silent = 0
		}
		if got >= leastBytes {
			slow, got = 0, 0
		}
		switch {
		case silent >= parts:
			cancel(fmt.Errorf("nothing arrived for %v", stall))
			return
		case slow >= 2*parts:
			cancel(fmt.Errorf("less than %d bytes arrived in %v", leastBytes, 2*stall))
			return
		}
	}
}

func fileMD5(ctx context.Context, path string) (string, error) {
	f, _, err := imageio.OpenPlain(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := md5.New()
	if _, err := io.Copy(h, &stream{Reader: f, ctx: ctx}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
