package sweep

import (
	"context"
	"fmt"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
)

// Preparation says how a training gets its network and its images.
type Preparation struct {
	Choice Choice // of the images
	// Of a new network, whose training has no State yet:
	Arch         string
	Architecture model.ArchOptions
	Plain        bool // input is pixel/255, without subtracting the mean and dividing by the standard deviation
	OwnWarmup    bool // Options.Warmup is the user's own; else an architecture that needs one gets it
	// Of a network that is resumed:
	Altered bool // how it goes on is not how it began: the command becomes part of its origin
	// Match finds the network's class of each of the data's classes, and returns the labels of the one for those of
	// the other.
	Match func(net *model.Network, data []string) (labels func([]int) []int, err error)
}

// NothingLeft says that a training has taken all its steps.
type NothingLeft struct{ Step, Steps int }

func (e *NothingLeft) Error() string {
	return fmt.Sprintf("at step %d of %d: nothing is left to do", e.Step, e.Steps)
}

// Prepare makes the network, unless the training has a State to go on from, decodes the images, and resolves the options.
func (t *Training) Prepare(ctx context.Context, engine *model.Engine, data *images.Data, p Preparation, o Options) error {
	sets, text, err := p.Choice.Split().Of(data)
	if err != nil {
		return err
	}
	if text != "" {
		o.note("%s", text)
	}
	fresh := t.State == nil
	labels := func(l []int) []int { return l }
	if fresh {
		t.Net, err = Fresh(sets[0], data.Classes, p.Arch, p.Architecture)
	} else {
		labels, err = p.Match(t.Net, data.Classes)
	}
	if err != nil {
		return err
	}
	used, sample, err := needed(data, sets[0], t.State, t.Options)
	if err != nil {
		return err
	}
	if t.Images, err = sets.Decode(ctx, engine, t.Net, used, o); err != nil {
		return err
	}
	for _, m := range t.Images {
		m.Labels = labels(m.Labels)
	}
	command := o.Command
	if fresh {
		MeasurePixels(t.Images[0], t.Net.Input, sample).Put(t.Net, !p.Plain)
	} else {
		command = t.Net.Origin.Command // what was resumed without a change leaves no trace, as if there had been no break
		if p.Altered {
			command += " && " + o.Command
		}
	}
	t.Net.Origin = model.Origin{Arch: t.Net.Origin.Arch, Data: data.Name, Tool: o.Tool, Command: command}
	t.Options.Note = p.Choice.Text()
	if t.Options, err = t.Options.Resolve(t.Images[0].Len()); err != nil {
		return &SettingError{Err: err}
	}
	if fresh && p.Arch == "small" && !p.OwnWarmup {
		// Its first dense layer has thousands of inputs that are all positive: at the
		// full rate Adam's first steps move them together and the rectifiers die.
		t.Options.Warmup = min(100, t.Options.Steps/4)
	}
	if end := t.Options.Steps; !fresh && (t.State.Step > end || t.State.Step == end && !train.Owes(t.State)) {
		return &NothingLeft{t.State.Step, t.Options.Steps}
	}
	return nil
}

// needed lists the training images that a training looks at, and says on how many, from the first, Pixels are
// measured: of a generated set only what is used is drawn, of others all are read (nil).
func needed(data *images.Data, set *images.List, state *model.State, o train.Options) (used []bool, sample int, err error) {
	if !data.Generated {
		return nil, set.Len(), nil
	}
	if o, err = o.Resolve(set.Len()); err != nil {
		return nil, 0, &SettingError{Err: err}
	}
	first := 0
	if state != nil {
		first = min(state.Step, o.Steps)
	}
	used, sample = train.Used(o, set.Len(), first), min(set.Len(), 2000)
	if state == nil {
		for i := range sample {
			used[i] = true
		}
	}
	return used, sample, nil
}
