package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/deconvnet/viz/model/tensor"
)

// encodeNetwork returns the graph as JSON, without the weights.
func encodeNetwork(net *Network) (string, error) {
	b := appendString([]byte(`{"name":`), net.Name)
	b = appendString(append(b, `,"input":{"name":`...), net.Input.Name)
	b = appendInts(append(b, `,"shape":`...), []int{net.Input.C, net.Input.H, net.Input.W})
	b = appendString(append(b, `},"logits":`...), net.Logits)
	if net.Scores != SoftmaxScores {
		b = appendString(append(b, `,"scores":`...), net.Scores.String())
	}
	for i, o := range net.Outputs {
		if !utf8.ValidString(o.Name) {
			return "", fmt.Errorf("output %q: the name is not UTF-8", o.Name)
		}
		open := `,{"name":`
		if i == 0 {
			open = `,"outputs":[{"name":`
		}
		b = appendString(append(b, open...), o.Name)
		b = append(appendString(append(b, `,"node":`...), o.Node), '}')
	}
	if len(net.Outputs) > 0 {
		b = append(b, ']')
	}
	b = append(b, `,"nodes":[`...)
	if !utf8.ValidString(net.Input.Name) {
		return "", fmt.Errorf("input %q: the name is not UTF-8", net.Input.Name)
	}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		if !utf8.ValidString(n.Name + n.Module) {
			return "", fmt.Errorf("layer %q: the name is not UTF-8", n.Name)
		}
		slots, err := layerSlots(n.Layer)
		if err != nil {
			return "", fmt.Errorf("layer %s: %w", n.Name, err)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"name":`...), n.Name)
		b = appendString(append(b, `,"kind":`...), n.Layer.Kind())
		b = append(b, `,"inputs":[`...)
		for j, in := range n.Inputs {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendString(b, in)
		}
		b = append(b, ']')
		if n.Module != "" {
			b = appendString(append(b, `,"module":`...), n.Module)
		}
		var attributes, tensors []byte
		for _, s := range slots {
			switch {
			case s.unset():
			case s.isAttribute():
				attributes = append(appendString(append(attributes, ','), s.name), ':')
				if attributes, err = s.append(attributes); err != nil {
					return "", fmt.Errorf("layer %s: %w", n.Name, err)
				}
			case s.weights() != nil:
				tensors = appendString(append(tensors, ','), s.name)
			}
		}
		if attributes != nil {
			b = append(append(append(b, `,"attributes":{`...), attributes[1:]...), '}')
		}
		if tensors != nil {
			b = append(append(append(b, `,"tensors":[`...), tensors[1:]...), ']')
		}
		b = append(b, '}')
	}
	return string(append(b, "]}"...)), nil
}

// decodeNetwork builds the graph from what encodeNetwork wrote, and says under
// which names it wants its weights.
func decodeNetwork(text string) (*Network, map[string]slot, error) {
	net := &Network{}
	slots := map[string]slot{}
	p := &scanner{s: text}
	p.object(func(key string) {
		switch key {
		case "name":
			net.Name = p.str()
		case "logits":
			net.Logits = p.str()
		case "scores":
			net.Scores = p.scores()
		case "outputs":
			p.array(func() { net.Outputs = append(net.Outputs, p.output()) })
		case "input":
			p.object(func(key string) {
				switch key {
				case "name":
					net.Input.Name = p.str()
				case "shape":
					var shape [3]int
					p.ints(shape[:], maxAttribute)
					net.Input.C, net.Input.H, net.Input.W = shape[0], shape[1], shape[2]
				default:
					p.fail("input: unknown key %.40q", key)
				}
			})
		case "nodes":
			p.array(func() {
				n, wants := decodeNode(p)
				for _, s := range wants {
					s.name = n.Name + "." + s.name
					slots[s.name] = s
				}
				net.Nodes = append(net.Nodes, n)
			})
		default:
			p.fail("unknown key %.40q", key)
		}
	})
	return net, slots, p.end()
}

// scores reads what the scores mean.
func (p *scanner) scores() Scores {
	text := p.str()
	s, err := ParseScores(text)
	if err != nil && p.err == nil {
		p.fail("%v", err)
	}
	return s
}

// output reads one of the network's outputs.
func (p *scanner) output() (o Output) {
	p.object(func(key string) {
		switch key {
		case "name":
			o.Name = p.str()
		case "node":
			o.Node = p.str()
		default:
			p.fail("output: unknown key %.40q", key)
		}
	})
	return o
}

// decodeNode reads one node and says what weights it wants.
func decodeNode(p *scanner) (n Node, wants []slot) {
	outer := p.err
	var slots []slot // what is still to come
	take := func(name string, attribute bool) (slot, bool) {
		for i, s := range slots {
			if s.name == name && s.isAttribute() == attribute {
				slots = slices.Delete(slots, i, i+1)
				return s, true
			}
		}
		return slot{}, false
	}
	p.object(func(key string) {
		switch key {
		case "name":
			n.Name = p.str()
		case "kind":
			kind := p.str()
			l := newLayer(kind)
			if l == nil {
				p.fail("unknown layer kind %.40q", kind)
				return
			}
			n.Layer, slots = l, l.slots()
		case "inputs":
			p.array(func() {
				if len(n.Inputs) == maxInputs {
					p.fail("more than %d inputs", maxInputs)
				}
				n.Inputs = append(n.Inputs, p.str())
			})
		case "module":
			n.Module = p.str()
		case "attributes":
			p.object(func(key string) {
				s, ok := take(key, true)
				if !ok {
					p.fail("unknown attribute %.40q (or it comes before the kind)", key)
					return
				}
				s.read(p)
			})
		case "tensors":
			p.array(func() {
				name := p.str()
				s, ok := take(name, false)
				if !ok {
					p.fail("unknown tensor %.40q (or it comes before the kind)", name)
					return
				}
				wants = append(wants, s)
			})
		default:
			p.fail("unknown key %.40q", key)
		}
	})
	if n.Layer == nil {
		p.fail("no kind")
	}
	for _, s := range slots {
		if s.isAttribute() && !s.unset() || !s.isAttribute() && !s.optional {
			p.fail("%s is missing", s.name)
		}
	}
	if outer == nil && p.err != nil {
		p.err = fmt.Errorf("node %s: %w", n.Name, p.err)
	}
	return n, wants
}

// encodeJSON is json.Marshal without HTML's escapes.
func encodeJSON(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// decode reads the JSON of a metadata key into v. Keys that v does not have are
// an error, except in the origin, where they do no harm.
func (c *container) decode(key string, v any) error {
	text, ok := c.meta[key]
	if !ok {
		return fmt.Errorf("no %s in the metadata", key)
	}
	p := &scanner{s: text}
	p.raw()
	if err := p.end(); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	d := json.NewDecoder(strings.NewReader(text))
	if key != keyOrigin {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// encodeState returns step and settings as JSON.
func encodeState(state *State) (string, error) {
	if state.Step < 0 {
		return "", fmt.Errorf("training state is at step %d", state.Step)
	}
	b := strconv.AppendInt([]byte(`{"step":`), int64(state.Step), 10)
	if len(state.JSON) > 0 {
		var compact bytes.Buffer
		if err := json.Compact(&compact, state.JSON); err != nil {
			return "", fmt.Errorf("training state: %w", err)
		}
		b = append(append(b, `,"trainer":`...), compact.Bytes()...)
	}
	text := string(append(b, '}'))
	if _, err := decodeState(text); err != nil {
		return "", fmt.Errorf("training state: %w", err)
	}
	return text, nil
}

// decodeState reads what encodeState wrote.
func decodeState(text string) (*State, error) {
	state := &State{Step: -1, Tensors: map[string]*tensor.Tensor{}}
	p := &scanner{s: text}
	p.object(func(key string) {
		switch key {
		case "step":
			state.Step = int(p.int(0, math.MaxInt))
		case "trainer":
			state.JSON = json.RawMessage(p.raw())
		default:
			p.fail("unknown key %.40q", key)
		}
	})
	if state.Step < 0 {
		p.fail("no step")
	}
	return state, p.end()
}
