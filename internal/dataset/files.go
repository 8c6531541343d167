package dataset

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/imageio"
)

const (
	// maxRatio bounds how much a compressed file may grow, so that its size bounds what it can hold before anything
	// is allocated. Pictures shrink to a twentieth at the best, where deflate reaches 1032:1; up to maxSmall is always fine.
	maxRatio = 32
	maxSmall = 64 << 20
	// maxPicture is the largest picture file, in bytes, that is read.
	maxPicture = 64 << 20
	// maxHeld is the most an archive or a binary file may hold, in bytes; it is kept in memory.
	maxHeld = 4 << 30
	// maxNames is the largest file of class names, in bytes.
	maxNames = 1 << 20
	// maxDepth is the depth of wrapping folder, split, class, file.
	maxDepth = 4
)

// file is one stored file: on disk, or a member of an archive held in memory.
type file struct {
	path string // slash-separated, relative to the root of its source
	size int64  // as stored, before any gunzip
	disk string // path on disk; empty if mem holds the bytes
	mem  []byte
}

// source is what a folder or an archive holds: the files that may matter, sorted by path.
type source struct {
	root    string // path of the folder or archive, as the user gave it
	archive bool
	files   []file
	// skipped counts files that cannot be part of a data set, by their names; problems are links and folders
	// that cannot be followed.
	skipped  imageio.Tally
	problems []imageio.Problem
}

// skip counts a file whose name is not wanted.
func (s *source) skip(name string) {
	kind, picture := imageio.Kind(name)
	if kind == "" { // an image, but too deep
		kind, picture = outside, false
	}
	s.skipped.Add(kind, picture, 1)
}

// where names f in errors: a path for folders, "archive: member" for archives.
func (s *source) where(f file) string {
	if s.archive {
		return s.root + ": " + f.path
	}
	return f.disk
}

func (s *source) find(name string) (file, bool) {
	for _, f := range s.files {
		if f.path == name {
			return f, true
		}
	}
	return file{}, false
}

// read returns the stored bytes of f, which must not be more than limit.
func (s *source) read(f file, limit int64) ([]byte, error) {
	if f.size > limit {
		return nil, fmt.Errorf("%s: got %d bytes, want at most %d", s.where(f), f.size, limit)
	}
	if f.disk == "" {
		return f.mem, nil
	}
	r, err := os.Open(f.disk)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	defer r.Close()
	// The file may have changed since it was listed, hence the limit here too.
	b, err := io.ReadAll(io.LimitReader(r, limit))
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return b, nil
}

// stream is the unpacked content of a file that is read front to back.
type stream struct {
	io.Reader
	offset int64 // bytes handed out so far, which is what errors report
	bound  int64 // no correct file can hold more than this
	closer io.Closer
	ctx    context.Context
}

func (s *stream) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.Reader.Read(p)
	s.offset += int64(n)
	if err == io.ErrUnexpectedEOF {
		err = errCut
	}
	return n, err
}

// errCut replaces gzip's io.ErrUnexpectedEOF, which readers further up could not tell from their own
// for a file that is whole but too short.
var errCut = errors.New("compressed data ends early")

// Close closes the file below; gzip holds nothing of its own.
func (s *stream) Close() error { return s.closer.Close() }

// counter reports the stored bytes read.
type counter struct {
	r           io.Reader
	done, total int64
	next        int64
	o           *Options
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += int64(n)
	if c.done >= c.next {
		c.o.progress(int(c.done), int(c.total))
		c.next = c.done + 1<<20
	}
	return n, err
}

// open streams f, gunzipped if its name ends in .gz or .tgz.
func (s *source) open(ctx context.Context, f file, o *Options) (*stream, error) {
	var r io.ReadCloser
	if f.disk == "" {
		r = io.NopCloser(bytes.NewReader(f.mem))
	} else {
		var err error
		if r, err = os.Open(f.disk); err != nil {
			return nil, fmt.Errorf("%w", err)
		}
	}
	st := &stream{closer: r, bound: f.size, ctx: ctx}
	in := io.Reader(r)
	if !s.archive { // members of an archive were counted while it was read
		in = &counter{r: r, total: f.size, o: o}
	}
	buffer := int(min(f.size, 1<<16))
	st.Reader = bufio.NewReaderSize(in, buffer)
	if hasSuffix(strings.ToLower(f.path), ".gz", ".tgz") {
		packed := &counted{Reader: in}
		z, err := gzip.NewReader(bufio.NewReaderSize(packed, buffer))
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("%s: %w", s.where(f), unexpected(err))
		}
		st.Reader = &growing{Reader: z, packed: packed}
		st.bound = unpacked(f.size)
	}
	st.bound = min(st.bound, maxHeld)
	return st, nil
}

// counted counts what was read.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// growing is what comes of compressed data, which must not grow by more than maxRatio on the way: a bomb is known before
// all of it is unpacked.
type growing struct {
	io.Reader
	packed *counted
	n      int64
}

func (g *growing) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	if g.n += int64(n); g.n > maxSmall && g.n > maxRatio*g.packed.n {
		return n, fmt.Errorf("%d bytes packed, %d unpacked, want at most %d times as many: a gzip bomb?", g.packed.n, g.n, maxRatio)
	}
	return n, err
}

// unpacked is the most that a compressed file of that size may hold.
func unpacked(size int64) int64 { return max(min(size, maxHeld)*maxRatio, min(size*1032, maxSmall)) }

// peek returns up to n unpacked bytes from the front of f.
func (s *source) peek(f file, n int) ([]byte, error) {
	st, err := s.open(context.Background(), f, &Options{})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	b := make([]byte, n)
	n, err = io.ReadFull(st, b)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%s: %w", s.where(f), err)
	}
	return b[:n], nil
}

// unexpected turns the end of a file where there must be more into an error that says so.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return plainly(err)
}

// readN reads n bytes. The buffer grows with what really arrives, so a false n costs no memory. On an
// early end it returns what there was and io.ErrUnexpectedEOF.
func readN(r io.Reader, n int64) ([]byte, error) {
	b := make([]byte, 0, min(n, 1<<20))
	for int64(len(b)) < n {
		if len(b) == cap(b) {
			grown := make([]byte, len(b), min(2*int64(cap(b)), n))
			copy(grown, b)
			b = grown
		}
		k, err := io.ReadFull(r, b[len(b):cap(b)])
		b = b[:len(b)+k]
		if err != nil {
			return b, unexpected(err)
		}
	}
	return b, nil
}

// readDir lists a folder, to the depth a data set can have. Links are followed; the depth ends loops.
func readDir(ctx context.Context, root string) (*source, error) {
	s := &source{root: root}
	var walk func(rel string, depth int) error
	walk = func(rel string, depth int) error {
		dir := filepath.Join(root, filepath.FromSlash(rel))
		entries, err := os.ReadDir(dir)
		if err != nil && rel != "" {
			s.problem(dir, err)
			return nil
		}
		if err != nil {
			return cannotOpen(dir, err)
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("%s: %w", root, err)
			}
			name := path.Join(rel, e.Name())
			if hidden(e.Name()) {
				continue
			}
			disk := filepath.Join(root, filepath.FromSlash(name))
			dir, maybe := e.IsDir(), wanted(name)
			if !dir && !maybe && e.Type()&os.ModeSymlink == 0 {
				s.skip(name)
				continue
			}
			if dir {
				if depth < maxDepth {
					if err := walk(name, depth+1); err != nil {
						return err
					}
				}
				continue
			}
			fi, err := os.Stat(disk)
			if err != nil {
				if isPicture(name) {
					s.problem(disk, imageio.DeadLink(disk, err))
				} else if maybe {
					return fmt.Errorf("%w", err)
				}
				continue // a dangling link of no interest
			}
			switch {
			case fi.IsDir() && depth < maxDepth:
				if err := walk(name, depth+1); err != nil {
					return err
				}
			case fi.Mode().IsRegular() && maybe:
				s.files = append(s.files, file{path: name, size: fi.Size(), disk: disk})
			case fi.Mode().IsRegular():
				s.skip(name)
			}
		}
		return nil
	}
	if err := walk("", 1); err != nil {
		return nil, err
	}
	s.sort()
	return s, nil
}

func (s *source) problem(path string, err error) {
	s.problems = append(s.problems, imageio.Problem{Path: path, Err: cannotOpen(path, err)})
}

// readTarFile reads the members of an archive that may matter into memory, as stored.
func readTarFile(ctx context.Context, name string, size int64, o *Options) (*source, error) {
	disk := &source{root: filepath.Dir(name)}
	st, err := disk.open(ctx, file{path: filepath.Base(name), size: size, disk: name}, o)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	s, err := readTar(st)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.root = name
	o.progress(int(size), int(size))
	return s, nil
}

// readTar reads a tar stream to its end. A later member replaces an earlier one of the same name, as
// unpacking would.
func readTar(st *stream) (*source, error) {
	s := &source{archive: true}
	seen := map[string]int{}
	var held int64
	r := tar.NewReader(st)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("tar header near offset %d: %w", st.offset, unexpected(err))
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if h.Typeflag != tar.TypeReg || slices.ContainsFunc(strings.Split(name, "/"), hidden) {
			continue
		}
		if !wanted(name) {
			s.skip(name)
			continue
		}
		// A cut archive, or a sparse member, which unpacks to more than the archive holds.
		if held += h.Size; h.Size > st.bound || held > st.bound {
			return nil, fmt.Errorf("tar: %s: truncated near offset %d: want %d bytes, and all of the file holds at most %d", name, st.offset, h.Size, st.bound)
		}
		if isPicture(name) && h.Size > maxPicture {
			return nil, fmt.Errorf("tar: %s near offset %d: got %d bytes, want at most %d", name, st.offset, h.Size, maxPicture)
		}
		mem, err := readN(r, h.Size)
		if err != nil {
			return nil, fmt.Errorf("tar: %s: truncated near offset %d: got %d bytes, want %d: %w", name, st.offset, len(mem), h.Size, err)
		}
		f := file{path: name, size: h.Size, mem: mem}
		if i, ok := seen[name]; ok {
			s.files[i] = f
		} else {
			seen[name] = len(s.files)
			s.files = append(s.files, f)
		}
	}
	// The checksum of gzip stands behind the end of the tar.
	if _, err := io.Copy(io.Discard, st); err != nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		return nil, fmt.Errorf("after the last member, offset %d: %w", st.offset, unexpected(err))
	}
	s.sort()
	return s, nil
}

func (s *source) sort() {
	slices.SortFunc(s.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
}

// hidden reports names that systems leave behind in folders and archives.
func hidden(name string) bool { return strings.HasPrefix(name, ".") || name == "__MACOSX" }

// wanted reports whether a file can be part of a data set, by its name.
func wanted(name string) bool {
	base := path.Base(name)
	return strings.Count(name, "/") < maxDepth &&
		(isPicture(base) || cifarFile.MatchString(base) || pythonFile.MatchString(base) || mapFile.MatchString(base) || idxFile.MatchString(base) || base == metaName || base == namesName)
}

func isPicture(name string) bool { return imageio.IsPicture(name) }

// names reads class names, one a line, from the first of the files that is in folder dir; nil if
// there is none.
func (s *source) names(dir string, files ...string) ([]string, error) {
	for _, base := range files {
		f, ok := s.find(path.Join(dir, base))
		if !ok {
			continue
		}
		b, err := s.read(f, maxNames)
		if err != nil {
			return nil, err
		}
		var names []string
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" {
				names = append(names, line)
			}
		}
		if len(names) == 0 || len(names) > 256 { // labels are bytes
			return nil, fmt.Errorf("%s: got %d class names, want 1..256", s.where(f), len(names))
		}
		return names, nil
	}
	return nil, nil
}

// preferPlain drops x.gz where x is there too: both are the same data.
func preferPlain(files []file) []file {
	have := map[string]bool{}
	for _, f := range files {
		have[f.path] = true
	}
	return slices.DeleteFunc(slices.Clone(files), func(f file) bool {
		plain, ok := strings.CutSuffix(f.path, ".gz")
		return ok && have[plain]
	})
}

// shallowest returns the folder of the first file that match accepts, looking at the top of the
// source and then inside the wrapping folders.
func (s *source) shallowest(match func(base string) bool) (dir string, ok bool) {
	for _, depth := range []int{0, 1} {
		for _, f := range s.files {
			if strings.Count(f.path, "/") == depth && match(path.Base(f.path)) {
				return path.Dir(f.path), true
			}
		}
	}
	return "", false
}
