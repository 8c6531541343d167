package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
)

// Training is one training into a checkpoint file, with a log of JSON lines beside it.
type Training struct {
	Net      *model.Network
	State    *model.State     // to go on from; nil: from the beginning
	Options  train.Options    // resolved, see train.Options.Resolve
	Images   [2]*train.Memory // to train on, and to test on
	Out      string           // the checkpoint
	Log      string           // see LogName
	Numbered bool             // keep numbered copies too, of weights only
}

// TrainingResult is how a training ended.
type TrainingResult struct {
	Checkpoint    string   `json:"checkpoint"`
	Step          int      `json:"step"`
	Loss          float64  `json:"loss"`
	TrainAccuracy *float64 `json:"train_accuracy,omitempty"`
	TestAccuracy  *float64 `json:"test_accuracy,omitempty"`
	TestLoss      *float64 `json:"test_loss,omitempty"`
	TestImages    int      `json:"-"` // that the accuracy was measured on
}

// Remarks is what is to be said of the accuracy on images of so many classes.
func (r *TrainingResult) Remarks(classes int) (out []string) {
	if r.TestAccuracy == nil {
		return nil
	}
	out = append(out, fmt.Sprintf("test accuracy %.4f on %d images", *r.TestAccuracy, r.TestImages))
	if *r.TestAccuracy <= 1.1/float64(classes) {
		out = append(out, "that is no better than chance: the ReLUs may have died. Try a smaller --rate, or a longer --warmup")
	}
	return out
}

// LogName is where the log of a training into the checkpoint out goes by default.
func LogName(out string) string { return strings.TrimSuffix(out, filepath.Ext(out)) + ".jsonl" }

// Replaces says what a network of the given origin would be written over, such as "is no checkpoint"; "" if nothing is
// there. same: it is of the same architecture and data.
func Replaces(path string, to model.Origin) (what string, same bool) {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return "", false
	}
	there, err := model.Load(path)
	if err != nil {
		return "is no checkpoint", false
	}
	from := there.Origin
	same = from.Arch == to.Arch && from.Data == to.Data
	if from.Data == "" {
		return fmt.Sprintf("is another network, %s %s", there.Name, there.Hash()), same
	}
	return fmt.Sprintf("is a training of %s on %s, at step %d", from.Arch, from.Data, from.Step), same
}

// Run trains, and writes checkpoints and the log. A *train.Diverged is the end of a training whose loss is not finite.
func (t *Training) Run(ctx context.Context, engine *model.Engine, o Options) (*TrainingResult, error) {
	first := 0
	if t.State != nil {
		first = t.State.Step
	}
	log, err := openLog(t.Log, first)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if err := log.line(t.head(first, o.Command)); err != nil {
		return nil, err
	}
	o.note("training %s on %s: %d images, %d to test on; %d steps of %d images", t.Net.Name, t.Net.Origin.Data, t.Images[0].Len(), t.Images[1].Len(), t.Options.Steps, t.Options.Batch)
	if t.Numbered && first == 0 {
		if err := t.numbered(t.Net, 0); err != nil {
			return nil, err
		}
	}
	meter := o.newMeter(first * t.Options.Batch)
	show, end := o.live(first * t.Options.Batch)
	var last train.Report
	saved := -1
	save := o.newSaving()
	_, _, err = train.Run(ctx, engine, t.Net, t.Images[0], t.Images[1], t.State, t.Options, train.Hooks{
		Progress: func(r train.Report) {
			p := meter.report(r)
			show(p)
			if r.Train != nil || r.Test != nil {
				last = r
			}
			log.report(p) // what cannot be written stops the next checkpoint
		},
		Due: save.due,
		Checkpoint: func(net *model.Network, state *model.State) error {
			defer save.done()
			if err := t.checkpoint(log, net, state); err != nil {
				return err
			}
			saved = state.Step
			return nil
		},
	})
	end()
	if saved >= 0 && errors.Is(err, context.Canceled) {
		o.note("step %d is in %s; to resume: viz train --resume %s", saved, t.Out, t.Out)
	}
	if err != nil {
		return nil, err
	}
	return t.result(last), nil
}

// checkpoint writes what a training goes on from. A training whose log lacks a line has none: it ends, and goes on from
// the checkpoint before, whose log is whole.
func (t *Training) checkpoint(log *trainLog, net *model.Network, state *model.State) error {
	// The copy comes first: a run that is killed between the two repeats the steps and writes both.
	if t.Numbered && (state.Step == t.Options.Steps || t.Options.CheckpointEvery > 0 && state.Step%t.Options.CheckpointEvery == 0) {
		if err := t.numbered(net, state.Step); err != nil {
			return err
		}
	}
	// The log of a checkpoint's steps lasts if the checkpoint does.
	if err := log.last(); err != nil {
		return err
	}
	return model.Save(t.Out, net, state)
}

func (t *Training) result(last train.Report) *TrainingResult {
	r := &TrainingResult{Checkpoint: t.Out, Step: t.Options.Steps, Loss: last.Loss}
	if last.Train != nil {
		r.TrainAccuracy = &last.Train.Accuracy
	}
	if last.Test != nil {
		r.TestAccuracy, r.TestLoss, r.TestImages = &last.Test.Accuracy, finite(last.Test.Loss), last.Test.Images
	}
	return r
}

// numbered writes the weights after a step beside the checkpoint.
func (t *Training) numbered(net *model.Network, step int) error {
	ext := filepath.Ext(t.Out)
	return model.Save(fmt.Sprintf("%s-%06d%s", strings.TrimSuffix(t.Out, ext), step, ext), net, nil)
}

// head is the first line of the log.
func (t *Training) head(first int, command string) map[string]any {
	return map[string]any{"command": command, "tool": t.Net.Origin.Tool, "network": t.Net.Name, "data": t.Net.Origin.Data,
		"train_images": t.Images[0].Len(), "test_images": t.Images[1].Len(), "from_step": first, "options": t.Options}
}

// Choice says which images of a data set a training sees, as it is kept in its state: the same when it goes on.
type Choice struct {
	DataSeed uint64  `json:"data-seed"`
	HoldOut  float64 `json:"hold-out"`
	Limit    int     `json:"limit"`
}

// Split is the choice without the seed of a generated set.
func (c Choice) Split() Split { return Split{HoldOut: c.HoldOut, Limit: c.Limit} }

// Text is the choice for the state of a training.
func (c Choice) Text() string {
	text, err := json.Marshal(c)
	if err != nil {
		return "" // a share that is no number is refused elsewhere
	}
	return string(text)
}

// Recall puts the choice that a text of Text stands for into c, but for what keep says is the user's own. An empty
// text is of a training that kept none.
func (c *Choice) Recall(text string, keep func(name string) bool) error {
	if text == "" {
		return nil
	}
	old := *c
	if err := json.Unmarshal([]byte(text), &old); err != nil {
		return fmt.Errorf("choice of images in the checkpoint: %w", err)
	}
	if !keep("data-seed") {
		c.DataSeed = old.DataSeed
	}
	if !keep("hold-out") {
		c.HoldOut = old.HoldOut
	}
	if !keep("limit") {
		c.Limit = old.Limit
	}
	return nil
}
