package open

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/deconvnet/viz/internal/classes"
	"github.com/deconvnet/viz/model"
)

// Labels reads the class names of a network from a file, in any of the forms of [classes.Parse]. "imagenet" means
// the names of ImageNet's 1000 classes if there is no file of that name. Of a network with 1001 classes the first
// is the background that lists of 1000 do not have.
func Labels(path string, net *model.Network) ([]string, error) {
	fail := func(err error) ([]string, error) { return nil, fmt.Errorf("labels: %w", err) }
	names, err := readNames(path)
	if err != nil {
		return fail(err)
	}
	shapes, err := net.Shapes()
	if err != nil {
		return nil, err
	}
	s, ok := shapes[net.Logits]
	if !ok {
		return fail(fmt.Errorf("%s: network %s is no classifier", path, net.Name))
	}
	if names, err = classes.Fit(names, s.C); err != nil {
		return fail(fmt.Errorf("%s: %w", path, err))
	}
	if len(names) == 2 && s.C == 1 && net.Scores == model.RawScores {
		return fail(fmt.Errorf("%s: 2 names, but the network gives one value without a sigmoid: scores that are logits would tell two classes apart (--scores logits)", path))
	}
	return names, nil
}

// readNames reads the names in a file.
func readNames(path string) ([]string, error) {
	text, err := readSmall(path)
	switch {
	case err == nil:
		names, err := classes.Parse(filepath.Base(path), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return names, nil
	case path == "imagenet":
		return slices.Clone(classes.ImageNet()), nil
	}
	return nil, err
}
