package images

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

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
	// Problems are the pictures that could not be found or read, and what is wrong with each. The splits have the others.
	Problems []Problem
}

// OpenData opens both splits of the data set spec.Data, by its name, a folder or a file. spec.Split and Limit play no part.
// Pictures that are files are read once to know which are sound: Train and Test have those, Problems the others.
func OpenData(ctx context.Context, spec Spec, o Options) (*Data, error) {
	data, err := openData(ctx, spec.Data, spec, o)
	if err != nil {
		return nil, err
	}
	d := &Data{Name: spec.Data, Title: data.Name, Classes: data.Classes, Generated: data.Generated, Note: data.Skipped.String(), Problems: data.Problems}
	d.Train, d.Test = listOf(data, data.Train, spec.Data, 0), listOf(data, data.Test, spec.Data, 0)
	if data.Files {
		for _, split := range []**List{&d.Train, &d.Test} {
			sound, bad, err := (*split).sound(ctx)
			if err != nil {
				return nil, err
			}
			*split, d.Problems = sound, append(d.Problems, bad...)
		}
	}
	if len(d.Problems) > 0 && d.Train.Len()+d.Test.Len() == 0 {
		var errs []error
		for _, p := range d.Problems {
			errs = append(errs, p.Err)
		}
		return nil, errors.Join(errs...)
	}
	return d, nil
}

// maxKept bounds the decoded pictures, in bytes, that are kept from the reading that finds the sound ones.
const maxKept = 1 << 28

// sound is the list of the pictures that can be read, and what is wrong with the others. What was decoded
// is kept for the first time that it is opened, up to maxKept, so that files are not read twice.
func (l *List) sound(ctx context.Context) (*List, []Problem, error) {
	errs := make([]error, l.Len())
	kept := make([]atomic.Pointer[Picture], l.Len())
	var next, bytes atomic.Int64
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < l.Len() && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				picture, err := l.Open(i)
				errs[i] = err
				if err != nil || picture.Image == nil {
					continue
				}
				size := picture.Image.Bounds().Size()
				if bytes.Add(int64(size.X)*int64(size.Y)*8) <= maxKept {
					kept[i].Store(&picture)
				}
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	once := *l
	once.open = func(i int) (Picture, error) {
		if p := kept[i].Swap(nil); p != nil {
			return *p, nil
		}
		return l.open(i)
	}
	var good []int
	var bad []Problem
	for i, err := range errs {
		if err == nil {
			good = append(good, i)
			continue
		}
		bad = append(bad, Problem{Path: l.Items[i].Name, Err: err})
	}
	if len(bad) == 0 {
		return &once, nil, nil
	}
	return once.Subset(good), bad, nil
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
	l.file = func(i int) string { return cmp.Or(set.File(order[i]), name) }
	l.need = func(i int) (need, bool) {
		h, size, ok := set.Header(order[i])
		return need{h, int(size)}, ok
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
	if l.file != nil {
		out.file = func(k int) string { return l.file(numbers[k]) }
	}
	if l.need != nil {
		out.need = func(k int) (need, bool) { return l.need(numbers[k]) }
	}
	return &out
}
