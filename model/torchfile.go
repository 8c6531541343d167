package model

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/pickle"
	"github.com/deconvnet/viz/model/tensor"
)

// PyTorch's files are zip archives: a pickle, NAME/data.pkl, that says which
// tensors there are, and their numbers in NAME/data/KEY. Nothing in the pickle is
// executed; it may name what rebuilds a tensor and nothing else.

// maxPickle bounds the description of the tensors.
const maxPickle = 32 << 20

// torchStorages are the dtypes of PyTorch's storages, as safetensors calls those
// of floating point; the others are left out.
var torchStorages = map[string]string{"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
	"LongStorage": "", "IntStorage": "", "ShortStorage": "", "CharStorage": "", "ByteStorage": "", "BoolStorage": ""}

func torchKnows(g pickle.Global) bool {
	switch g.Module {
	case "collections":
		return g.Name == "OrderedDict"
	case "torch._utils":
		return g.Name == "_rebuild_tensor_v2" || g.Name == "_rebuild_parameter"
	case "torch":
		_, ok := torchStorages[g.Name]
		return ok || g.Name == "Size"
	}
	return false
}

// isTorch reports whether a file that begins with head is PyTorch's: a zip
// archive, or a pickle by versions before 1.6.
func isTorch(head []byte) (archive, old bool) {
	const magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" // as a number of the pickle
	archive = strings.HasPrefix(string(head), "PK\x03\x04")
	return archive, len(head) > 2 && head[0] == 0x80 && strings.HasPrefix(string(head[2:]), magic[:min(len(magic), len(head)-2)])
}

// torchFile is an archive on its way to arrays.
type torchFile struct {
	r      io.ReaderAt
	files  map[string]*zip.File
	folder string
	big    bool  // numbers are big-endian
	left   int64 // bytes that arrays may still take
	reads  int64 // bytes that may still be read for them: views may share a storage, but not without end
}

// readTorch reads all arrays of floating point of a state_dict, which may be one
// value of a dictionary with more.
func readTorch(r io.ReaderAt, size int64) ([]array, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("a zip archive that cannot be read: %w", err)
	}
	f := &torchFile{r: r, files: map[string]*zip.File{}, left: 4 * size, reads: 16 * size}
	for _, e := range z.File {
		f.files[e.Name] = e
		if folder, ok := strings.CutSuffix(e.Name, "data.pkl"); ok && (folder == "" || strings.HasSuffix(folder, "/")) {
			f.folder = folder
		}
	}
	if f.files[f.folder+"data.pkl"] == nil {
		return nil, errors.New("a zip archive without data.pkl: no file of PyTorch")
	}
	if f.files[f.folder+"constants.pkl"] != nil && f.files[f.folder+"code/"] != nil {
		return nil, errors.New("a TorchScript file: save the weights alone, torch.save(net.state_dict(), ...)")
	}
	text, err := f.read("data.pkl", maxPickle)
	if err != nil {
		return nil, err
	}
	if order, err := f.read("byteorder", 16); err == nil {
		f.big = string(order) == "big"
	}
	v, err := pickle.Decode(text, torchKnows)
	if _, unknown := errors.AsType[*pickle.Unknown](err); unknown {
		return nil, fmt.Errorf("%w: save the weights alone, torch.save(net.state_dict(), ...)", err)
	}
	if err != nil {
		return nil, err
	}
	return f.state(v)
}

// read reads a small file of the archive.
func (f *torchFile) read(name string, most uint64) ([]byte, error) {
	e := f.files[f.folder+name]
	if e == nil {
		return nil, fmt.Errorf("there is no %s in the archive", name)
	}
	if e.UncompressedSize64 > most {
		return nil, fmt.Errorf("%s has %d bytes, want at most %d", name, e.UncompressedSize64, most)
	}
	if e.Method != zip.Store {
		return nil, fmt.Errorf("%s is compressed: no file of PyTorch is", name)
	}
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, int64(most)))
}

// pairsOf are the entries of a dictionary, nil if it is none.
func pairsOf(v any) []pickle.Pair {
	switch v := v.(type) {
	case *pickle.Dict:
		return v.Pairs
	case *pickle.Call:
		if v.Func.Name == "OrderedDict" {
			return v.Pairs
		}
	}
	return nil
}

// state finds the tensors in a dictionary, or in the one value of it that has any.
func (f *torchFile) state(v any) ([]array, error) {
	pairs := pairsOf(v)
	for _, name := range []string{"state_dict", "model_state_dict", "model", "net", "params"} {
		for _, p := range pairs {
			if inner := pairsOf(p.Value); p.Key == name && inner != nil {
				pairs = inner
				break
			}
		}
	}
	out := []array{}
	for _, p := range pairs {
		name, ok := p.Key.(string)
		c, isCall := p.Value.(*pickle.Call)
		if !ok || !isCall {
			continue
		}
		t, err := f.tensor(c)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		if t != nil {
			out = append(out, array{name, t})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("it holds no tensors by name: save the weights, torch.save(net.state_dict(), ...)")
	}
	// DataParallel puts a name before all others.
	if !slices.ContainsFunc(out, func(a array) bool { return !strings.HasPrefix(a.name, "module.") }) {
		for i := range out {
			out[i].name = strings.TrimPrefix(out[i].name, "module.")
		}
	}
	return out, nil
}

var errTensor = errors.New("it is not described as PyTorch does")

// tensor reads one; nil if it is not of floating point.
func (f *torchFile) tensor(c *pickle.Call) (*tensor.Tensor, error) {
	for range 2 {
		if c.Func.Name != "_rebuild_parameter" {
			break
		}
		inner, ok := argument(c.Args).(*pickle.Call)
		if !ok {
			return nil, errTensor
		}
		c = inner
	}
	if c.Func.Name != "_rebuild_tensor_v2" {
		return nil, nil
	}
	ref, ok := argument(c.Args).(*pickle.Reference)
	if !ok || len(c.Args) < 4 {
		return nil, errTensor
	}
	id, ok := ref.ID.(pickle.Tuple)
	if !ok || len(id) < 5 || id[0] != "storage" {
		return nil, errTensor
	}
	typ, ok1 := id[1].(pickle.Global)
	key, ok2 := id[2].(string)
	count, ok3 := id[4].(int64)
	offset, ok4 := c.Args[1].(int64)
	shape, ok5 := sizes(c.Args[2])
	strides, ok6 := sizes(c.Args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || len(shape) != len(strides) || offset < 0 || count < 0 {
		return nil, errTensor
	}
	dtype := torchStorages[typ.Name]
	if dtype == "" {
		return nil, nil
	}
	return f.numbers(dtype, key, count, offset, shape, strides)
}

func argument(t pickle.Tuple) any {
	if len(t) == 0 {
		return nil
	}
	return t[0]
}

// sizes reads a tuple of numbers.
func sizes(v any) ([]int, bool) {
	if c, ok := v.(*pickle.Call); ok && c.Func.Name == "Size" {
		v = argument(c.Args)
	}
	t, ok := v.(pickle.Tuple)
	if !ok || len(t) > maxDims {
		return nil, false
	}
	var out []int
	for _, v := range t {
		n, ok := v.(int64)
		if !ok || n < 0 || n > math.MaxInt32 {
			return nil, false
		}
		out = append(out, int(n))
	}
	return out, true
}

// numbers reads a tensor's numbers out of a storage of count of them.
func (f *torchFile) numbers(dtype, key string, count, offset int64, shape, strides []int) (*tensor.Tensor, error) {
	width := int64(floatTypes[dtype])
	e := f.files[f.folder+"data/"+key]
	if e == nil {
		return nil, fmt.Errorf("there is no data/%.40s in the archive", key)
	}
	if e.Method != zip.Store {
		return nil, fmt.Errorf("data/%.40s is compressed", key)
	}
	n, ok := product(shape, math.MaxInt64/16)
	end := offset // of the last number read
	for i, size := range shape {
		end += int64(max(size-1, 0)) * int64(strides[i])
	}
	switch {
	case !ok || n > count || n > 0 && (end < 0 || end >= count):
		return nil, fmt.Errorf("shape %v with strides %v from %d on does not lie in %d numbers", shape, strides, offset, count)
	case count > math.MaxInt64/16 || count*width > int64(min(e.UncompressedSize64, math.MaxInt64)) || count*width > 2*f.left:
		return nil, fmt.Errorf("data/%.40s has %d bytes, want %d", key, e.UncompressedSize64, count*width)
	case 4*n > f.left:
		return nil, errors.New("the tensors take more memory than the file has")
	}
	f.left -= 4 * n
	at, err := e.DataOffset()
	if err != nil {
		return nil, err
	}
	x := tensor.New(shape...)
	if n == 0 {
		return x, nil
	}
	step := 1
	contiguous := true
	for i := len(shape) - 1; i >= 0; i-- {
		contiguous = contiguous && (shape[i] == 1 || strides[i] == step)
		step *= shape[i]
	}
	span := end - offset + 1
	if f.reads -= span * width; f.reads < 0 {
		return nil, errors.New("the tensors read the file again and again")
	}
	b := make([]byte, min(span*width, 1<<20/width*width))
	if !contiguous {
		b = make([]byte, span*width)
	}
	read := 0
	for from := int64(0); from < span*width; from += int64(len(b)) {
		part := b[:min(int64(len(b)), span*width-from)]
		if err := readAt(f.r, part, at+offset*width+from); err != nil {
			return nil, err
		}
		if f.big {
			swap(part, int(width))
		}
		if !contiguous {
			gather(x.Data, shape, strides, func(j int) float32 { return number(dtype, part[int64(j)*width:]) })
			break
		}
		for i := 0; i < len(part); i += int(width) {
			x.Data[read] = number(dtype, part[i:])
			read++
		}
	}
	return x, nil
}

// gather reads an array through its strides.
func gather(dst []float32, shape, strides []int, at func(int) float32) {
	index := make([]int, len(shape))
	for i := range dst {
		j := 0
		for a, v := range index {
			j += v * strides[a]
		}
		dst[i] = at(j)
		for a := len(shape) - 1; a >= 0; a-- {
			if index[a]++; index[a] < shape[a] {
				break
			}
			index[a] = 0
		}
	}
}

// swap turns the bytes of each number around.
func swap(b []byte, width int) {
	for ; len(b) >= width; b = b[width:] {
		slices.Reverse(b[:width])
	}
}

// readArrays reads a file of weights, safetensors or PyTorch's.
func readArrays(r io.ReaderAt, size int64) ([]array, error) {
	head := make([]byte, min(size, 16))
	if err := readAt(r, head, 0); err != nil {
		return nil, err
	}
	switch archive, old := isTorch(head); {
	case archive:
		return readTorch(r, size)
	case old:
		return nil, errors.New("PyTorch wrote it before version 1.6: load it there and save it again")
	}
	return readSafetensors(r, size)
}
