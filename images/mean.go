package images

import (
	"context"
	"errors"
	"fmt"

	"github.com/deconvnet/viz/model"
)

// ErrNoPictures says that none of the pictures of a list could be used.
var ErrNoPictures = errors.New("none of the pictures could be used")

// MeanPixel is the mean pixel of the pictures of a list as a network sees them, 0..255 in its order of channels,
// and how many of them there are. Pictures that cannot be used are told to unusable and left out. progress may be
// nil.
func (in *Inputs) MeanPixel(ctx context.Context, unusable func(error), progress func(done, total int)) (mean []float32, used int, err error) {
	sum := model.NewPixelMean(in.Net.Preprocess, in.Net.Input)
	for i := range in.Items {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		if err := in.addPicture(sum, i); err != nil {
			unusable(err)
		} else {
			used++
		}
		if progress != nil {
			progress(i+1, in.Len())
		}
	}
	if mean = sum.Mean(); mean == nil {
		return nil, 0, ErrNoPictures
	}
	return mean, used, nil
}

func (in *Inputs) addPicture(sum *model.PixelMean, i int) error {
	p, err := in.Open(i)
	if err != nil {
		return err
	}
	if p.Image == nil {
		return fmt.Errorf("%s: an array has no pixels: want pictures", p.Name)
	}
	if err := sum.Add(p.Image); err != nil {
		return fmt.Errorf("%s: %w", in.Items[i].Name, err)
	}
	return nil
}
