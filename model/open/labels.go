package open

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/model"
)

// Labels reads the class names of a network from a file: one a line, or JSON: a list, or an object from
// class numbers to names, to lists of which the last is the name, or to objects with a "label". Of a network
// with ImageNet's 1001 classes the first is the background that lists of 1000 do not have.
func Labels(path string, net *model.Network) ([]string, error) {
	fail := func(err error) ([]string, error) { return nil, fmt.Errorf("labels: %w", err) }
	text, err := readSmall(path)
	if err != nil {
		return fail(err)
	}
	labels, err := parseLabels(text)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", path, err))
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	s, ok := shapes[net.Logits]
	if !ok {
		return fail(fmt.Errorf("%s: network %s is no classifier", path, net.Name))
	}
	switch want := s.Len(); {
	case len(labels) == want:
	case len(labels) == 1000 && want == 1001:
		labels = append([]string{"background"}, labels...)
	case len(labels) == 1001 && want == 1000:
		labels = labels[1:]
	default:
		return fail(fmt.Errorf("%s: %d names, the network has %d classes", path, len(labels), want))
	}
	return labels, nil
}

// wordnet is the identifier in front of ImageNet's class names in some lists.
var wordnet = regexp.MustCompile(`^n\d{8}\s+`)

func parseLabels(text []byte) ([]string, error) {
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) == 0 {
		return nil, fmt.Errorf("the file is empty")
	}
	switch trimmed[0] {
	case '[':
		var list []string
		err := jsonLabels(trimmed, &list)
		return list, err
	case '{':
		var object map[string]json.RawMessage
		if err := jsonLabels(trimmed, &object); err != nil {
			return nil, err
		}
		list := make([]string, len(object))
		for key, raw := range object {
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(list) || list[i] != "" {
				return nil, fmt.Errorf("key %.40q: want class numbers 0 to %d", key, len(list)-1)
			}
			var name string
			var names []string
			var item struct{ Label string }
			switch {
			case json.Unmarshal(raw, &name) == nil:
			case json.Unmarshal(raw, &names) == nil && len(names) > 0:
				name = names[len(names)-1]
			case json.Unmarshal(raw, &item) == nil:
				name = item.Label
			}
			if name == "" {
				return nil, fmt.Errorf("class %d has no name in %.60s", i, raw)
			}
			list[i] = name
		}
		return list, nil
	}
	var list []string
	for line := range strings.Lines(string(trimmed)) {
		list = append(list, wordnet.ReplaceAllString(strings.TrimSpace(line), ""))
	}
	return list, nil
}
func jsonLabels(text []byte, to any) error {
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("not a list or object of names: %w", err)
	}
	return nil
}
