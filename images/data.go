package images

import (
	"context"
	"errors"
	"fmt"

	"github.com/deconvnet/viz/internal/dataset"
)

// Data is a data set to learn from: its splits, each as a list.
type Data struct {
	Name    string // as it was asked for
	Title   string // what people call it: "cifar10", or a folder's name without the way there
	Classes []string
	// Train and Test have no items if there is no such split.
	Train, Test *List
	Generated   bool   // pictures are drawn when they are opened
	Note        string // what was passed over in folders, for people
}

// OpenData opens both splits of the data set spec.Data, by its name, a folder or a file. To learn from, all of it is
// needed: pictures that cannot be found are an error. spec.Split and Limit play no part.
func OpenData(ctx context.Context, spec Spec, o Options) (*Data, error) {
	data, err := openData(ctx, spec.Data, spec, o)
	if err != nil {
		return nil, err
	}
	for _, p := range data.Problems {
		err = errors.Join(err, p.Err)
	}
	if err != nil {
		return nil, err
	}
	d := &Data{Name: spec.Data, Title: data.Name, Classes: data.Classes, Generated: data.Generated, Note: data.Skipped.String()}
	d.Train, d.Test = listOf(data, data.Train, spec.Data, 0), listOf(data, data.Test, spec.Data, 0)
	return d, nil
}

// listOf lists a split, or a sample of it.
func listOf(data *dataset.Data, set *dataset.Set, name string, limit int) *List {
	order := sample(set.Len(), limit)
	l := &List{From: fmt.Sprintf("%s, %s split", name, set.Split()), Data: name, Classes: set.Classes(), Problems: data.Problems, Note: data.Skipped.String()}
	l.c, l.h, l.w = set.Shape()
	l.Items = make([]Item, 0, len(order))
	for _, i := range order {
		l.Items = append(l.Items, Item{Name: set.ItemName(i), Stem: fmt.Sprintf("%s-%d", set.Split(), i), Label: set.Label(i)})
	}
	l.open = func(i int) (Picture, error) {
		item, err := set.Item(order[i])
		return Picture{Name: item.Name, Image: item.Image, Object: item.Object}, err
	}
	return l
}

// Shape is the channels, height and width of all pictures; 0, 0, 0 if they are of various sizes, or of files.
func (l *List) Shape() (c, h, w int) { return l.c, l.h, l.w }

// Subset is the list of the items with the given numbers, in that order.
func (l *List) Subset(numbers []int) *List {
	out := *l
	out.Items = make([]Item, len(numbers))
	for k, i := range numbers {
		out.Items[k] = l.Items[i]
	}
	out.open = func(k int) (Picture, error) { return l.open(numbers[k]) }
	return &out
}
