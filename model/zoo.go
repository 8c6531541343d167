package model

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/model/tensor"
)

//go:embed zoo/torchvision.txt
var zooText string

// zooBlock is a block or network of zoo/torchvision.txt.
type zooBlock struct {
	net    bool
	name   string
	params []string // a network's: its input's rows and columns
	lines  [][]string
}

// zooBlocks reads the description of the architectures.
func zooBlocks() []zooBlock {
	var out []zooBlock
	for line := range strings.Lines(zooText) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] == "#" || f[0] == "end":
		case f[0] == "net" || f[0] == "def":
			out = append(out, zooBlock{net: f[0] == "net", name: f[1], params: f[2:]})
		default:
			out[len(out)-1].lines = append(out[len(out)-1].lines, f)
		}
	}
	return out
}

// zooArches are the names of the architectures.
func zooArches() []string {
	var names []string
	for _, b := range zooBlocks() {
		if b.net {
			names = append(names, b.name)
		}
	}
	return names
}

// zoo builds an architecture from its description.
type zoo struct {
	net     *Network
	blocks  map[string]*zooBlock
	last    string
	shapes  map[string]Shape
	arrays  map[string]*tensor.Tensor // nil: weights of 0
	wanted  []array                   // in order, if there are no arrays
	zeros   []float32
	tokens  bool     // the value at hand is an array [T, D], no longer maps
	left    []string // prefixes of arrays that do not matter
	aliases []string // old and new parts of names
}

// zooScope is what a block's lines see.
type zooScope struct {
	prefix string
	vars   map[string]string
	saved  map[string]string
}

// buildZoo builds an architecture with the weights in arrays; size is the input's,
// or 0 for the one it was published with. Without arrays (nil) it is the shape of
// one only, and what comes second are the arrays that it wants.
func buildZoo(arch string, arrays []array, size [2]int) (*Network, []array, error) {
	z := &zoo{blocks: map[string]*zooBlock{}, shapes: map[string]Shape{}, last: "input"}
	var top *zooBlock
	for _, b := range zooBlocks() {
		if b.net && b.name == arch {
			top = &b
		} else if !b.net {
			z.blocks[b.name] = &b
		}
	}
	if top == nil {
		return nil, nil, &UnknownName{What: "architecture", Name: arch, Nearest: nearest(arch, zooArches())}
	}
	if size == [2]int{} {
		n, err := strconv.Atoi(top.params[0])
		if err != nil {
			return nil, nil, err
		}
		size = [2]int{n, n}
	}
	z.net = &Network{Name: arch, Input: Input{Name: "input", C: 3, H: size[0], W: size[1]}, Origin: Origin{Arch: arch}}
	z.shapes["input"] = z.net.Input.Shape()
	if arrays != nil {
		z.arrays = map[string]*tensor.Tensor{}
		for _, a := range arrays {
			z.arrays[a.name] = a.t
		}
	}
	if err := z.run(top, zooScope{vars: map[string]string{}, saved: map[string]string{}}); err != nil {
		return nil, nil, err
	}
	for _, a := range arrays {
		if z.arrays[a.name] != nil && !slices.ContainsFunc(z.left, func(p string) bool { return strings.HasPrefix(a.name, p) }) {
			return nil, nil, fmt.Errorf("%s belongs to no layer of %s", a.name, arch)
		}
	}
	z.net.Logits = z.last
	if err := z.add("prob", &Softmax{}, z.last); err != nil {
		return nil, nil, err
	}
	return z.net, z.wanted, check(z.net)
}

var (
	zooRange    = regexp.MustCompile(`^(.*?)(\d+)-(\d+)$`)
	zooVariable = regexp.MustCompile(`\$\w+`)
)

// run builds a block's lines one after the other.
func (z *zoo) run(b *zooBlock, s zooScope) error {
	s.vars["$in"] = strconv.Itoa(z.features(z.shapes[z.last]))
	for _, line := range b.lines {
		f := make([]string, len(line))
		for i, word := range line {
			f[i] = zooVariable.ReplaceAllStringFunc(word, func(v string) string {
				if to, ok := s.vars[v]; ok {
					return to
				}
				return v
			})
		}
		if f[0] == "alias" {
			z.rename(f[1], f[2])
			continue
		}
		if f[0] == "ignore" {
			z.left = append(z.left, f[1:]...)
			continue
		}
		names := []string{f[0]}
		if m := zooRange.FindStringSubmatch(f[0]); m != nil {
			from, _ := strconv.Atoi(m[2])
			to, _ := strconv.Atoi(m[3])
			names = nil
			for i := from; i <= to; i++ {
				names = append(names, m[1]+strconv.Itoa(i))
			}
		}
		for _, name := range names {
			switch {
			case name == "-" || name == ".":
				name = s.prefix
			case name[0] == '.':
				name = s.prefix + name
			}
			if err := z.line(name, f[1], f[2:], s); err != nil {
				return err
			}
		}
	}
	return nil
}

// features are the numbers at each place: of a token, or of maps their channels.
func (z *zoo) features(s Shape) int {
	if z.tokens {
		return s.W
	}
	return s.C
}

// rename gives arrays of the file other names.
func (z *zoo) rename(old, to string) {
	for name, t := range z.arrays {
		if again := strings.Replace(name, old, to, 1); again != name {
			delete(z.arrays, name)
			z.arrays[again] = t
		}
	}
	z.aliases = append(z.aliases, old, to)
}

// line builds one line.
func (z *zoo) line(name, op string, args []string, s zooScope) error {
	if b := z.blocks[op]; b != nil {
		return z.call(name, b, args)
	}
	switch op {
	case "stage":
		n, err := zooNumber(args[0])
		if err != nil {
			return err
		}
		rest := slices.Clone(args[2:])
		for i := range n {
			if err := z.call(fmt.Sprintf("%s.%d", name, i), z.blocks[args[1]], rest); err != nil {
				return err
			}
			rest[0] = "1"
		}
		return nil
	case "save":
		s.saved[args[0]] = z.last
		return nil
	case "load":
		z.last = s.saved[args[0]]
		return nil
	case "fit": // a block for the saved value, if its shape is another
		x := s.saved[args[0]]
		if z.shapes[x] == z.shapes[z.last] {
			return nil
		}
		main := z.last
		z.last = x
		err := z.call(name, z.blocks[args[1]], args[2:])
		s.saved[args[0]], z.last = z.last, main
		return err
	case "add", "addsame":
		x := s.saved[args[0]]
		if op == "addsame" && z.shapes[x] != z.shapes[z.last] {
			return nil
		}
		return z.add(name, &Add{}, z.last, x)
	case "join":
		var ins []string
		for _, a := range args {
			ins = append(ins, s.saved[a])
		}
		return z.add(name, &Concat{}, ins...)
	case "gate":
		y := s.saved[args[0]]
		c := z.shapes[y]
		return z.add(name, &Binary{Op: BinaryMul, A: []int{c.C, c.H, c.W}, B: []int{c.C, 1, 1}}, y, z.last)
	}
	return z.layer(name, op, args)
}

func (z *zoo) call(name string, b *zooBlock, args []string) error {
	if b == nil || len(args) != len(b.params) {
		return fmt.Errorf("layer %s: the architecture's description is wrong", name)
	}
	s := zooScope{prefix: name, vars: map[string]string{}, saved: map[string]string{}}
	for i, p := range b.params {
		v := args[i]
		if n, err := zooNumber(v); err == nil {
			v = strconv.Itoa(n)
		}
		s.vars["$"+p] = v
	}
	return z.run(b, s)
}

// zooNumber reads numbers joined by * and /.
func zooNumber(s string) (int, error) {
	out, op := 1, byte('*')
	for len(s) > 0 {
		end := strings.IndexAny(s, "*/")
		if end < 0 {
			end = len(s)
		}
		n, err := strconv.Atoi(s[:end])
		if err != nil || n < 1 {
			return 0, fmt.Errorf("%q is no number above 0", s)
		}
		if op == '*' {
			out *= n
		} else {
			out /= n
		}
		if s = s[end:]; len(s) > 0 {
			op, s = s[0], s[1:]
		}
	}
	return out, nil
}

// add appends a layer.
func (z *zoo) add(name string, l Layer, ins ...string) error {
	var shapes []Shape
	for _, in := range ins {
		shapes = append(shapes, z.shapes[in])
	}
	s, err := OutputShape(l, shapes)
	if err != nil {
		return fmt.Errorf("layer %s: %w (input images of %v are too small for %s?)", name, err, z.net.Input.Shape(), z.net.Name)
	}
	if _, taken := z.shapes[name]; taken || name == "" {
		return fmt.Errorf("layer %q: the architecture's description is wrong", name)
	}
	z.net.Nodes = append(z.net.Nodes, Node{Name: name, Inputs: ins, Layer: l})
	z.last, z.shapes[name] = name, s
	return nil
}

// take returns the file's array of a name, which must have the given shape.
func (z *zoo) take(name string, shape ...int) (*tensor.Tensor, error) {
	if z.arrays == nil {
		if !fits(shape...) {
			return nil, fmt.Errorf("%s would be %v", name, shape)
		}
		t := z.blank(shape...)
		z.wanted = append(z.wanted, array{name, t})
		return t, nil
	}
	t := z.arrays[name]
	switch {
	case t == nil:
		return nil, fmt.Errorf("there is no %s", name)
	case !slices.Equal(t.Shape, shape):
		return nil, fmt.Errorf("%s is %v, want %v", name, t.Shape, shape)
	}
	delete(z.arrays, name)
	return t, nil
}

// blank is an array of zeros that shares its memory with others: what it is made
// for is shapes.
func (z *zoo) blank(shape ...int) *tensor.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	if n > len(z.zeros) {
		z.zeros = make([]float32, n)
	}
	return tensor.From(z.zeros[:n:n], shape...)
}

// vectors are arrays of n numbers, called name and one of the suffixes.
func (z *zoo) vectors(name string, n int, suffixes ...string) ([][]float32, error) {
	var out [][]float32
	for _, s := range suffixes {
		t, err := z.take(name+s, n)
		if err != nil {
			return nil, err
		}
		out = append(out, t.Data)
	}
	return out, nil
}

// outputs reads a number of outputs; "$classes" is what the file's weights have.
func (z *zoo) outputs(name, arg string) (int, error) {
	if arg != "$classes" {
		return zooNumber(arg)
	}
	if z.arrays == nil {
		return 1000, nil
	}
	t := z.arrays[name+".weight"]
	if t == nil || len(t.Shape) == 0 || t.Shape[0] < 1 {
		return 0, fmt.Errorf("there is no %s.weight", name)
	}
	return t.Shape[0], nil
}

var errZoo = errors.New("the architecture's description is wrong")
