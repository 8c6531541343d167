package sweep

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// Relabel asks for a network to be trained anew from random weights, twice: on the labels of its data, and on the same
// labels in random order (J. Adebayo et al., Sanity Checks for Saliency Maps, 2018, section 4). Few images are learned
// by heart, so that both networks know what they were told.
type Relabel struct {
	Images int // to learn by heart; 0: 256
	Steps  int // of Adam, 32 images each; 0: 400
	Seed   uint64
}

// Validate reports the first thing wrong with the request.
func (r Relabel) Validate() error {
	switch {
	case r.Images < 0 || r.Images > 1_000_000:
		return &SettingError{Err: fmt.Errorf("%d images to learn: want 1 to 1000000", r.Images)}
	case r.Steps < 0 || r.Steps > 1_000_000:
		return &SettingError{Err: fmt.Errorf("%d steps of training: want 1 to 1000000", r.Steps)}
	}
	return nil
}

// Run trains both networks, as view.Sanity takes them.
func (r Relabel) Run(ctx context.Context, engine *model.Engine, net *model.Network, data *images.Data, o Options) ([]view.Retrained, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Images == 0 {
		r.Images = 256
	}
	if r.Steps == 0 {
		r.Steps = 400
	}
	if !slices.Equal(data.Classes, net.Classes) {
		return nil, &SettingError{fmt.Errorf("%s has %d classes that are not the network's %d in their order", data.Title, len(data.Classes), len(net.Classes)),
			"labels are permuted of the data that the network was trained on"}
	}
	if data.Train == nil || data.Train.Len() == 0 {
		return nil, &SettingError{Err: fmt.Errorf("%s has no images to learn from", data.Title)}
	}
	rng := rand.New(rand.NewPCG(r.Seed, 0x6c6162656c73))
	chosen := rng.Perm(data.Train.Len())[:min(r.Images, data.Train.Len())]
	used := make([]bool, data.Train.Len())
	for _, i := range chosen {
		used[i] = true
	}
	all, err := Sets{data.Train, &images.List{}}.Decode(ctx, engine, net, used, o)
	if err != nil {
		return nil, err
	}
	from := all[0]
	some := &train.Memory{Size: from.Size}
	for _, i := range chosen {
		some.Bytes = append(some.Bytes, from.Bytes[i*from.Size:(i+1)*from.Size]...)
		some.Labels = append(some.Labels, from.Labels[i])
	}
	permuted := *some
	permuted.Labels = slices.Clone(some.Labels)
	rng.Shuffle(len(permuted.Labels), func(i, j int) {
		permuted.Labels[i], permuted.Labels[j] = permuted.Labels[j], permuted.Labels[i]
	})
	fresh, err := model.Reset(net, net.Classes, r.Seed)
	if err != nil {
		return nil, err
	}
	var out []view.Retrained
	for i, set := range []*train.Memory{some, &permuted} {
		name := []string{"true labels", "permuted labels"}[i]
		one, err := r.learn(ctx, engine, fresh, set, o, name)
		if err != nil {
			return nil, fmt.Errorf("learning %s: %w", name, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// learn trains one network.
func (r Relabel) learn(ctx context.Context, engine *model.Engine, fresh *model.Network, set *train.Memory, o Options, name string) (view.Retrained, error) {
	step, end := o.progress("learning " + name)
	defer end()
	out := view.Retrained{Name: name, Images: set.Len()}
	options := train.Options{Optimizer: train.Adam, Rate: 0.002, Batch: min(32, set.Len()), Steps: r.Steps, EvalEvery: -1, EvalTrain: set.Len(), LogEvery: 1, Seed: r.Seed}
	net, _, err := train.Run(ctx, engine, fresh, set, nil, nil, options, train.Hooks{Progress: func(p train.Report) {
		if step != nil {
			step(p.Step, p.Steps)
		}
		if p.Train != nil {
			out.Accuracy = p.Train.Accuracy
		}
	}})
	out.Net = net
	return out, err
}
