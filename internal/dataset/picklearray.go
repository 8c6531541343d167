package dataset

import (
	"fmt"
	"strings"

	"github.com/deconvnet/viz/internal/npy"
)

// object reads a name, or makes an array of what a pickle would call functions for.
func (u *unpickler) object(op byte) error {
	switch op {
	case 'c':
		module, err := u.line()
		if err != nil {
			return err
		}
		name, err := u.line()
		if err != nil {
			return err
		}
		u.push(pyNameOf(module, name))
		return nil
	}
	v, err := u.popN(2)
	if err != nil {
		return err
	}
	if op == '\x93' {
		module, ok1 := v[0].([]byte)
		name, ok2 := v[1].([]byte)
		if !ok1 || !ok2 {
			return fmt.Errorf("a name is no text")
		}
		u.push(pyNameOf(module, name))
		return nil
	}
	var made any
	if op == 'b' {
		made, err = build(v[0], v[1])
	} else {
		made, err = call(v[0], v[1])
		if b, ok := made.([]byte); ok {
			if u.bytes += len(b); u.bytes > len(u.in) {
				err = fmt.Errorf("more than %d bytes of text are turned into bytes", len(u.in))
			}
		}
	}
	if err != nil {
		return err
	}
	if op == 'b' {
		if a, ok := v[0].(*pyArray); ok { // what is stored is this one
			a.array = made.(*pyArray).array
			made = a
		}
	}
	u.push(made)
	return nil
}

// pyNameOf joins a name; NumPy 2 calls its module numpy._core.
func pyNameOf(module, name []byte) pyName {
	return pyName(strings.Replace(string(module), "numpy._core", "numpy.core", 1) + "." + string(name))
}

// call makes what the functions make that build arrays.
func call(f, args any) (any, error) {
	name, ok := f.(pyName)
	list, ok2 := args.(pyTuple)
	if !ok || !ok2 {
		return nil, fmt.Errorf("a call of something that is no function's name")
	}
	switch name {
	case "numpy.core.multiarray._reconstruct":
		return &pyArray{}, nil
	case "numpy.dtype":
		if len(list) > 0 {
			if descr, ok := list[0].([]byte); ok {
				return &pyType{string(descr)}, nil
			}
		}
	case "_codecs.encode": // bytes as Python 3 writes them for Python 2: the text's letters are bytes
		if len(list) == 2 {
			if text, ok := list[0].([]byte); ok {
				return latin1(text)
			}
		}
	case "numpy.core.multiarray.scalar":
		if len(list) == 2 {
			t, ok1 := list[0].(*pyType)
			b, ok2 := list[1].([]byte)
			if ok1 && ok2 {
				a, err := npy.NewRaw(t.descr, []int{}, false, b)
				if err != nil {
					return nil, err
				}
				return a.At(0), nil
			}
		}
	case "numpy.core.numeric._frombuffer":
		if len(list) == 4 {
			return array(list[2], list[1], order(list[3]), list[0])
		}
	case "collections.OrderedDict":
		if len(list) == 0 {
			return &pyDict{}, nil
		}
	default:
		return nil, fmt.Errorf("it would call %.60s: not done", string(name))
	}
	return nil, fmt.Errorf("%s with arguments that do not fit", string(name))
}

func order(v any) bool {
	b, _ := v.([]byte)
	return string(b) == "F"
}

// latin1 turns letters up to U+00FF into bytes.
func latin1(text []byte) ([]byte, error) {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r > 255 {
			return nil, fmt.Errorf("letter %q is no byte", r)
		}
		out = append(out, byte(r))
	}
	return out, nil
}

// build gives an array or number type its state.
func build(object, state any) (any, error) {
	s, _ := state.(pyTuple)
	switch o := object.(type) {
	case *pyArray: // version, shape, type, Fortran order, bytes
		if len(s) == 5 {
			return array(s[1], s[2], s[3] == int64(1), s[4])
		}
	case *pyType: // version, byte order, ...
		if len(s) >= 2 {
			if b, ok := s[1].([]byte); ok && len(b) == 1 && !strings.ContainsAny(o.descr[:min(1, len(o.descr))], "<>|=") {
				o.descr = string(b) + o.descr
			}
			return o, nil
		}
	}
	return nil, fmt.Errorf("the state of something that is no array")
}

func array(shape, kind any, fortran bool, data any) (*pyArray, error) {
	dims, ok1 := shape.(pyTuple)
	t, ok2 := kind.(*pyType)
	b, ok3 := data.([]byte)
	if !ok1 || !ok2 || !ok3 {
		return nil, fmt.Errorf("an array of objects, or damaged")
	}
	var s []int
	for _, d := range dims {
		n, ok := d.(int64)
		if !ok || n < 0 || n > 1<<31-1 {
			return nil, fmt.Errorf("an array of %v", dims)
		}
		s = append(s, int(n))
	}
	a, err := npy.NewRaw(t.descr, s, fortran, b)
	if err != nil {
		return nil, err
	}
	return &pyArray{a}, nil
}
