package images

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/deconvnet/viz/internal/dataset"
)

func openData(ctx context.Context, name string, spec Spec, o Options) (*dataset.Data, error) {
	return dataset.Open(ctx, name, dataset.Options{CacheDir: o.CacheDir, Seed: spec.Seed, Progress: o.Progress})
}

// SplitError says that a data set has no split of the name that was asked for.
type SplitError struct{ Err error }

func (e *SplitError) Error() string { return e.Err.Error() }
func (e *SplitError) Unwrap() error { return e.Err }

// FromData lists one split of a data set that is already open; name is what people call the set.
func FromData(data *dataset.Data, name string, spec Spec) (*List, error) {
	split := spec.Split
	if split == "" {
		split = "test"
	}
	set, err := data.Split(split)
	if err != nil && spec.Split == "" && data.Train != nil {
		set, err = data.Train, nil
	}
	if err != nil {
		return nil, &SplitError{err}
	}
	l := listOf(data, set, name, spec.Limit)
	if l.Len() == 0 {
		return nil, fmt.Errorf("%s: no images", l.From)
	}
	return l, nil
}

// sample is the numbers below n, or limit of them, in order. Data sets are often sorted by class, hence a
// random choice; it is the same each time.
func sample(n, limit int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if limit > 0 && limit < n {
		order = rand.New(rand.NewPCG(1, 2)).Perm(n)[:limit]
		slices.Sort(order)
	}
	return order
}
