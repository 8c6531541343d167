package features

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A stored index is two lines of JSON. The first,
//
//	{"format":"viz features index","version":1,"sha256":"..."}
//
// says what the file is and holds the SHA-256 of the second line, with its
// newline; the second is the Index. Sums are hexadecimal whole numbers of 2^-149,
// see Sum. One index has one form, so that two can be compared as files.
const (
	fileFormat  = "viz features index"
	fileVersion = 1
	// maxFile bounds the size of a stored index, in bytes.
	maxFile = 1 << 30
)

type fileHeader struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	SHA256  string `json:"sha256"`
}

// Write stores the index.
func (x *Index) Write(w io.Writer) error {
	body, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	body = append(body, '\n')
	sum := sha256.Sum256(body)
	head, err := json.Marshal(fileHeader{fileFormat, fileVersion, hex.EncodeToString(sum[:])})
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	if _, err := w.Write(append(head, '\n')); err != nil {
		return err
	}
	_, err = w.Write(body)
	return err
}

// Read reads a stored index and checks that it is whole and makes sense. Whether
// it is of the network at hand is for the caller to check: Index.Model.
func Read(r io.Reader) (*Index, error) {
	in := bufio.NewReaderSize(r, 4096)
	line, err := in.ReadSlice('\n')
	if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("%w", err)
	}
	var head fileHeader
	if json.Unmarshal(line, &head) != nil || head.Format != fileFormat {
		return nil, fmt.Errorf("not an index of features")
	}
	if head.Version != fileVersion {
		return nil, fmt.Errorf("index of version %d, want %d", head.Version, fileVersion)
	}
	body, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if len(body) > maxFile {
		return nil, fmt.Errorf("the index is larger than %d bytes", maxFile)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != head.SHA256 {
		return nil, fmt.Errorf("the index is damaged: its checksum is not the one it was written with")
	}
	x := new(Index)
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(x); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if err := x.check(); err != nil {
		return nil, fmt.Errorf("the index makes no sense: %w", err)
	}
	return x, nil
}

// check looks for what no scan writes, so that whoever uses a file's numbers as
// places need not.
func (x *Index) check() error {
	if x.Images < 0 || x.TopK < 1 || x.Fast < 0 {
		return fmt.Errorf("%d images, the %d strongest of each", x.Images, x.TopK)
	}
	end := -1
	for _, r := range x.Done {
		if r.From <= end || r.To <= r.From || r.To > x.Images {
			return fmt.Errorf("images %d to %d are done, of %d", r.From, r.To, x.Images)
		}
		end = r.To
	}
	for _, s := range x.Skipped {
		if s.Image < 0 || s.Image >= x.Images {
			return fmt.Errorf("image %d of %d skipped", s.Image, x.Images)
		}
	}
	for _, n := range x.Named {
		if n.Image < 0 || n.Image >= x.Images {
			return fmt.Errorf("image %d of %d named", n.Image, x.Images)
		}
	}
	for _, l := range x.Layers {
		if l.H < 1 || l.W < 1 || l.H > 1<<20 || l.W > 1<<20 || len(l.Top) != len(l.Stats) {
			return fmt.Errorf("layer %s: maps of %dx%d, %d with hits, %d with statistics", l.Name, l.H, l.W, len(l.Top), len(l.Stats))
		}
		for m, top := range l.Top {
			if len(top) > x.TopK {
				return fmt.Errorf("layer %s: map %d has %d hits, want at most %d", l.Name, m, len(top), x.TopK)
			}
			for _, h := range top {
				if h.Image < 0 || h.Image >= x.Images || h.Y < 0 || h.Y >= l.H || h.X < 0 || h.X >= l.W || !finite(h.Value) {
					return fmt.Errorf("layer %s: map %d has a hit in image %d at %d,%d", l.Name, m, h.Image, h.Y, h.X)
				}
			}
			h := l.Stats[m].Maxima
			if h.First < -histogramBins || h.First+len(h.Counts) > histogramBins || slices.ContainsFunc(h.Counts, func(n int) bool { return n < 0 }) {
				return fmt.Errorf("layer %s: map %d has a histogram from bin %d on with %d bins", l.Name, m, h.First, len(h.Counts))
			}
		}
	}
	return nil
}

// same reports the first thing that keeps two indexes from being parts of one.
func (x *Index) same(o *Index) error {
	switch {
	case x.Model != o.Model:
		return fmt.Errorf("the index is of model %s, not %s", x.Model, o.Model)
	case x.Kernel != o.Kernel:
		return fmt.Errorf("the index was computed by kernel %s, not %s, whose last bits differ", x.Kernel, o.Kernel)
	case x.Images != o.Images:
		return fmt.Errorf("the index is of %d images, not %d", x.Images, o.Images)
	case x.Fast != o.Fast:
		return fmt.Errorf("the index was computed %s, not %s", speed(x.Fast), speed(o.Fast))
	case x.TopK != o.TopK:
		return fmt.Errorf("the index keeps the %d strongest, not %d", x.TopK, o.TopK)
	case len(x.Layers) != len(o.Layers):
		return fmt.Errorf("the index is of %d layers, not %d", len(x.Layers), len(o.Layers))
	}
	for i, l := range x.Layers {
		if k := o.Layers[i]; l.Name != k.Name || l.H != k.H || l.W != k.W || len(l.Top) != len(k.Top) {
			return fmt.Errorf("layer %s of the index is %dx%dx%d, not %s with %dx%dx%d", l.Name, len(l.Top), l.H, l.W, k.Name, len(k.Top), k.H, k.W)
		}
	}
	return nil
}

// speed says in words what Index.Fast means.
func speed(batch int) string {
	if batch == 0 {
		return "exactly"
	}
	return fmt.Sprintf("fast, as for batches of %d", batch)
}

// Merge combines indexes of parts of the images, none of which may be in two of
// them. Merging the parts of a whole, in any order, gives its index.
func Merge(parts ...*Index) (*Index, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("nothing to merge")
	}
	first := parts[0]
	out := &Index{Model: first.Model, Kernel: first.Kernel, Images: first.Images, TopK: first.TopK, Fast: first.Fast,
		Done: []Range{}, Skipped: []Skip{}, Source: first.Source, Named: []Named{}}
	for _, l := range first.Layers {
		n := Layer{Name: l.Name, H: l.H, W: l.W, Top: make([][]Hit, len(l.Top)), Stats: make([]Stats, len(l.Top))}
		for i := range n.Top {
			n.Top[i] = []Hit{}
		}
		out.Layers = append(out.Layers, n)
	}
	names := map[int]Named{}
	for i, p := range parts {
		if err := p.same(first); err != nil {
			return nil, fmt.Errorf("part %d: %w", i+1, err)
		}
		if !equalSource(p.Source, first.Source) {
			return nil, fmt.Errorf("part %d: the images come from elsewhere than those of part 1", i+1)
		}
		for _, r := range p.Done {
			for _, have := range out.Done {
				if r.From < have.To && have.From < r.To {
					return nil, fmt.Errorf("part %d: images %d to %d are in an earlier part too", i+1, max(r.From, have.From), min(r.To, have.To)-1)
				}
			}
		}
		for _, r := range p.Done {
			out.add(r)
		}
		out.Skipped = append(out.Skipped, p.Skipped...)
		for _, n := range p.Named {
			names[n.Image] = n
		}
		for l := range p.Layers {
			for m := range p.Layers[l].Top {
				to, from := &out.Layers[l], &p.Layers[l]
				for _, h := range from.Top[m] {
					to.Top[m] = insert(to.Top[m], h, out.TopK)
				}
				a, b := &to.Stats[m], &from.Stats[m]
				a.Images += b.Images
				a.Fired += b.Fired
				a.Positive += b.Positive
				a.Sum.AddSum(&b.Sum)
				a.Squares.AddSum(&b.Squares)
				a.Maxima.merge(&b.Maxima)
			}
		}
	}
	slices.SortFunc(out.Skipped, func(a, b Skip) int { return a.Image - b.Image })
	out.SetNames(func(i int) (string, string) { return names[i].Name, names[i].Label })
	return out, nil
}

func equalSource(a, b Source) bool {
	return slices.Equal(a.Images, b.Images) && a.Data == b.Data && a.Split == b.Split && a.Limit == b.Limit && a.Seed == b.Seed && a.Names == b.Names && a.fits(b.Sizes)
}

// fits reports whether the files of images may have the given sizes. Indexes of old know none.
func (s Source) fits(sizes string) bool { return s.Sizes == "" || sizes == "" || s.Sizes == sizes }

// SetNames fills in Named from the caller's names and labels.
func (x *Index) SetNames(of func(image int) (name, label string)) {
	seen := map[int]bool{}
	x.Named = []Named{}
	add := func(i int) {
		if !seen[i] {
			seen[i] = true
			name, label := of(i)
			x.Named = append(x.Named, Named{i, name, label})
		}
	}
	for _, l := range x.Layers {
		for _, top := range l.Top {
			for _, h := range top {
				add(h.Image)
			}
		}
	}
	for _, s := range x.Skipped {
		add(s.Image)
	}
	slices.SortFunc(x.Named, func(a, b Named) int { return a.Image - b.Image })
}
