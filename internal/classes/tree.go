package classes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is a value of JSON or YAML.
type node struct {
	kind nodeKind
	text string  // of a scalar
	list []*node // of a list, or the values of an object
	keys []string
}

type nodeKind int

const (
	scalar nodeKind = iota
	list
	object
)

// number is a scalar that is a class number; -1: it is none.
func (n *node) number() int {
	if n.kind != scalar {
		return -1
	}
	return number(n.text)
}

// get returns an object's value, or nil. Upper and lower case are alike.
func (n *node) get(key string) *node {
	i := slices.IndexFunc(n.keys, func(k string) bool { return strings.EqualFold(k, key) })
	if i < 0 {
		return nil
	}
	return n.list[i]
}

func parseJSON(text string) (*node, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("there is more behind the end of the JSON value")
	}
	return jsonNode(v), nil
}

func jsonNode(v any) *node {
	switch v := v.(type) {
	case string:
		return &node{text: v}
	case json.Number:
		return &node{text: v.String()}
	case []any:
		n := &node{kind: list}
		for _, e := range v {
			n.list = append(n.list, jsonNode(e))
		}
		return n
	case map[string]any:
		n := &node{kind: object}
		for key, e := range v {
			n.keys, n.list = append(n.keys, key), append(n.list, jsonNode(e))
		}
		return n
	}
	return &node{} // null, true and false name nothing
}

func parseYAML(text string) (*node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 {
		return nil, fmt.Errorf("want one YAML document")
	}
	return yamlNode(doc.Content[0])
}

// yamlNode keeps scalars as they are written ("no", 007), and knows no aliases.
func yamlNode(y *yaml.Node) (*node, error) {
	switch y.Kind {
	case yaml.ScalarNode:
		if y.Tag == "!!null" {
			return &node{}, nil
		}
		return &node{text: y.Value}, nil
	case yaml.SequenceNode, yaml.MappingNode:
		n := &node{kind: list}
		step, at := 1, 0
		if y.Kind == yaml.MappingNode {
			n.kind, step, at = object, 2, 1
		}
		for i := 0; i+at < len(y.Content); i += step {
			if at == 1 {
				if y.Content[i].Kind != yaml.ScalarNode {
					return nil, fmt.Errorf("line %d: a key is no plain text", y.Content[i].Line)
				}
				n.keys = append(n.keys, y.Content[i].Value)
			}
			e, err := yamlNode(y.Content[i+at])
			if err != nil {
				return nil, err
			}
			n.list = append(n.list, e)
		}
		return n, nil
	}
	return nil, fmt.Errorf("line %d: aliases are not read", y.Line)
}

// number reads a class number; -1: it is none.
func number(s string) int {
	if s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return -1
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// names finds the class names in a value: see Parse.
func (n *node) names() ([]string, error) {
	switch n.kind {
	case list:
		return n.listed()
	case object:
		if m := n.get("id2label"); m != nil {
			return m.names()
		}
		for _, key := range []string{"label2id", "class_to_idx", "class_indices", "names", "label_names", "labels", "classes", "class_names", "categories"} {
			if m := n.get(key); m != nil && m.kind != scalar {
				return m.names()
			}
		}
		return n.numbered()
	}
	return nil, fmt.Errorf("want a list or an object of names")
}

// listed reads a list of names, or of objects with a number and a name.
func (n *node) listed() ([]string, error) {
	var items []item
	ids := 0
	for i, e := range n.list {
		name := e.name()
		if name == "" {
			return nil, fmt.Errorf("item %d of the list has no name", i)
		}
		at := i
		if e.kind == object {
			if id := e.get("id"); id != nil && id.number() >= 0 {
				at = id.number()
				ids++
			}
		}
		items = append(items, item{at, name})
	}
	if ids != 0 && ids != len(items) {
		return nil, fmt.Errorf("%d of %d items have an id", ids, len(items))
	}
	return place(items)
}

// numbered reads an object from numbers to names or from names to numbers.
func (n *node) numbered() ([]string, error) {
	toNumbers := len(n.list) > 0 && !slices.ContainsFunc(n.list, func(v *node) bool { return v.number() < 0 })
	var items []item
	for i, key := range n.keys {
		v := n.list[i]
		if toNumbers {
			items = append(items, item{v.number(), plain(key)})
			continue
		}
		at := number(key)
		if at < 0 {
			return nil, fmt.Errorf("key %.40q: want class numbers 0 to %d", key, len(n.keys)-1)
		}
		name := v.name()
		if name == "" {
			return nil, fmt.Errorf("class %d has no name", at)
		}
		items = append(items, item{at, name})
	}
	return place(items)
}

// name is what a value calls a class: a text, the last of a list, or an
// object's label.
func (n *node) name() string {
	switch n.kind {
	case scalar:
		return plain(n.text)
	case list:
		if len(n.list) > 0 && n.list[len(n.list)-1].kind == scalar {
			return plain(n.list[len(n.list)-1].text)
		}
	case object:
		for _, key := range []string{"label", "name", "class", "class_name", "display_name"} {
			if v := n.get(key); v != nil && v.kind == scalar && v.text != "" {
				return plain(v.text)
			}
		}
	}
	return ""
}
