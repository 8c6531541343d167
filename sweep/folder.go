package sweep

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/internal/lockfile"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/train"
)

// Folder is where a list of trainings is kept, each run in a folder of its own: run.json (settings and curve) and
// ckpt.bin (to resume from). Finished runs are not done again, interrupted ones resume.
type Folder struct {
	engine *model.Engine
	dir    string
	o      Options
	unlock func()

	data   *images.Data // from Load on
	split  Split
	sets   Sets
	images [2]*train.Memory
	pixels Pixels // of the training images
}

// Open takes a folder, which is there, for a list of trainings; other processes are kept out until Close. If one is
// in it, the error has a Hint.
func Open(engine *model.Engine, dir string, o Options) (*Folder, error) {
	unlock, err := lockfile.Take(dir, o.Command, o.Note)
	if err != nil {
		return nil, err
	}
	return &Folder{engine: engine, dir: dir, o: o, unlock: unlock}, nil
}

// Close lets others into the folder.
func (f *Folder) Close() { f.unlock() }

// Load decodes the images that all trainings share. They are of one size, which is the networks' input.
func (f *Folder) Load(ctx context.Context, data *images.Data, split Split) error {
	sets, text, err := split.Of(data)
	if err != nil {
		return err
	}
	if text != "" {
		f.o.note("%s", text)
	}
	c, h, w := sets[0].Shape()
	if h == 0 {
		return &SettingError{errors.New("the images are of various sizes"), "give images of one size"}
	}
	in := model.Input{C: c, H: h, W: w}
	if f.images, err = sets.decode(ctx, f.engine, model.Preprocess{}, in, nil, f.o); err != nil {
		return err
	}
	f.data, f.split, f.sets = data, split, sets
	f.pixels = MeasurePixels(f.images[0], in, f.images[0].Len())
	return nil
}

// fresh builds an untrained network for the images, with their pixels known.
func (f *Folder) fresh(arch string, o model.ArchOptions, standardize bool) (*model.Network, error) {
	net, err := Fresh(f.sets[0], f.data.Classes, arch, o)
	if err != nil {
		return nil, err
	}
	f.pixels.Put(net, standardize)
	return net, nil
}

// runDir is the folder of a run, as seen from the folder of all.
func runDir(name string) string { return filepath.Join("runs", runName(name)) }

// runName is the name of a run as a folder, without the characters that shells and other
// systems take for their own: folders of earlier versions are found again.
func runName(name string) string {
	return imageio.FileName(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`\:*?"<>| `, r) {
			return '_'
		}
		return r
	}, name))
}

// job is a run to do.
type job struct {
	name  string
	o     train.Options
	evals int // measurements of accuracy
	// build makes the untrained network, the same each time. No job holds it while others are done.
	build func() (*model.Network, error)
	// each, if set, sees the network before the first step and at every
	// measurement. It must work again for a step it has seen.
	each  func(ctx context.Context, step int, net *model.Network) error
	facts *facts // nil until first was called
}

// facts are what is kept of an untrained network.
type facts struct {
	hash       string
	parameters int
	macs       int64
	keep       float64 // see keepProbability
}

// first builds the untrained network of a job.
func (j *job) first() (*model.Network, error) {
	net, err := j.build()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.name, err)
	}
	if j.facts == nil {
		layers, err := net.Summary()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", j.name, err)
		}
		facts := facts{hash: net.Hash(), keep: keepProbability(net)}
		for _, l := range layers {
			facts.parameters += l.Weights
			facts.macs += l.MACs
		}
		j.facts = &facts
	}
	return net, nil
}

func (f *Folder) file(j *job, name string) string { return filepath.Join(f.dir, runDir(j.name), name) }

// evaluations spreads about n measurements over the steps of a run.
func evaluations(steps, n int) int { return max(steps/max(n, 1), 1) }

// resolve fills in the options.
func (f *Folder) resolve(j *job) error {
	o, err := j.o.Resolve(f.images[0].Len())
	if err != nil {
		return setting("%s: %w", j.name, err)
	}
	if n := f.images[0].Len(); o.Batch > n {
		return setting("%s: batches of %d images, there are %d to train on", j.name, o.Batch, n)
	}
	o.EvalEvery = evaluations(o.Steps, j.evals)
	o.CheckpointEvery = o.EvalEvery
	o.LogEvery = max(1, min(10, o.EvalEvery/4))
	j.o = o
	return nil
}
