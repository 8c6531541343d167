// Package job cuts work on many pictures into units that can be done anywhere, again and in any order, and puts
// their results together to what one machine would have made, byte for byte. It knows nothing of what runs the units.
//
// A job is a file in a bucket that everybody sees, the work folder. Whoever does a unit leaves its result there
// under the unit's number: doing a unit twice writes the same bytes twice. Results are put together by the plan, not
// by who reports what, so nothing can count twice.
package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/deconvnet/viz/cmd/viz-beam/internal/store"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/images"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Kind is what a job does with each picture.
type Kind string

// The kinds of jobs.
const (
	Features  Kind = "features"
	Classify  Kind = "classify"
	Occlude   Kind = "occlude"
	Attribute Kind = "attribute"
	Faithful  Kind = "faithful"
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{Features, Classify, Occlude, Attribute, Faithful} }

// ParseKind reads the name of a kind.
func ParseKind(s string) (Kind, error) {
	if k := Kind(s); slices.Contains(Kinds(), k) {
		return k, nil
	}
	return "", fmt.Errorf("%q: want one of %v", s, Kinds())
}

// Unit is how many pictures a unit has if nothing is said: some seconds to minutes of work, and as many units for each
// of the workers, if it is known how many there will be.
func (k Kind) Unit(pictures, workers int) int {
	least, most := 4, 1<<14
	if k == Features || k == Classify {
		least, most = 1024, 1<<12
	}
	unit := max(least, (pictures+most-1)/most)
	if workers < 2 {
		return unit
	}
	each := (pictures + workers*unit - 1) / (workers * unit) // units of a worker
	return max(1, (pictures+workers*each-1)/(workers*each))
}

// Job is what is to be done, the same for everybody who takes part.
type Job struct {
	Kind     Kind              `json:"kind"`
	Settings map[string]string `json:"settings,omitempty"` // of the request, as flags have them
	Network  string            `json:"network"`            // hash; the network itself is beside the job
	// Pictures are those of a list beside the job, if List is set, else those of Spec, which every worker opens.
	List     string          `json:"list,omitempty"` // SHA-256 of the list
	Spec     *images.Spec    `json:"spec,omitempty"`
	Cache    string          `json:"cache,omitempty"` // where data sets are kept
	Names    string          `json:"names"`           // hash of the pictures' names
	Source   features.Source `json:"source"`          // as the index names them
	ByNumber bool            `json:"by_number,omitempty"`
	Pictures int             `json:"pictures"`
	Unit     int             `json:"unit"` // pictures in a unit; 0: as fits the kind
	Fold     int             `json:"fold"` // units whose results are put together in one step; 0: the square root of their number
}

// complete fills in what was left open.
func (j *Job) complete() error {
	if _, err := ParseKind(string(j.Kind)); err != nil {
		return err
	}
	if j.Pictures < 1 || j.Unit < 0 || j.Fold < 0 {
		return fmt.Errorf("%d pictures, %d in a unit, %d units in a fold", j.Pictures, j.Unit, j.Fold)
	}
	if j.Unit == 0 {
		j.Unit = j.Kind.Unit(j.Pictures, 0)
	}
	if j.Fold == 0 {
		j.Fold = int(math.Ceil(math.Sqrt(float64(j.Units()))))
	}
	return nil
}

// Units is the number of units.
func (j *Job) Units() int { return (j.Pictures + j.Unit - 1) / j.Unit }

// Folds is the number of steps that put units together.
func (j *Job) Folds() int { return (j.Units() + j.Fold - 1) / j.Fold }

// Range is the pictures [from, to) of a unit.
func (j *Job) Range(unit int) (from, to int) {
	return unit * j.Unit, min((unit+1)*j.Unit, j.Pictures)
}

// ID identifies the job by all that its result depends on, and how it is cut.
func (j *Job) ID() (string, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// Place is where a job's files are.
type Place struct {
	Work string // a folder, or the URL of one
	ID   string // of the job
}

// Names of the files of a job.
const (
	jobFile     = "job.json"
	networkFile = "network.bin"
	listFile    = "list.jsonl"
	resultFile  = "result"
)

func partFile(unit int) string   { return fmt.Sprintf("part/%07d", unit) }
func foldFile(fold int) string   { return fmt.Sprintf("fold/%07d", fold) }
func beganFile(unit int) string  { return fmt.Sprintf("began/%07d", unit) }
func failedFile(unit int) string { return fmt.Sprintf("failed/%07d", unit) }

// open opens the folder of a job.
func (p Place) open(ctx context.Context, open store.Open) (*blob.Bucket, error) {
	b, err := store.Work(ctx, p.Work, open)
	if err != nil {
		return nil, err
	}
	return blob.PrefixedBucket(b, p.ID+"/"), nil
}

// missing reports whether an error says that an object is not there.
func missing(err error) bool { return gcerrors.Code(err) == gcerrors.NotFound }

// failure is why a unit cannot be done, however often it is tried.
type failure struct {
	Unit int    `json:"unit"`
	From int    `json:"from"`
	To   int    `json:"to"`
	Text string `json:"error"`
}

// Failed says which units cannot be done.
type Failed struct{ texts []string }

func (e *Failed) Error() string { return strings.Join(e.texts, "; ") }

// failures reads what units left that cannot be done.
func failures(ctx context.Context, b *blob.Bucket) error {
	names, err := listed(ctx, b, "failed/")
	if err != nil || len(names) == 0 {
		return err
	}
	var texts []string
	for i, name := range names {
		if i == 3 {
			texts = append(texts, fmt.Sprintf("and %d more units", len(names)-i))
			break
		}
		text, err := b.ReadAll(ctx, name)
		var f failure
		if err == nil {
			err = json.Unmarshal(text, &f)
		}
		if err != nil {
			return err
		}
		texts = append(texts, fmt.Sprintf("pictures %d to %d: %s", f.From, f.To-1, f.Text))
	}
	return &Failed{texts}
}

// listed are the keys that begin with a prefix.
func listed(ctx context.Context, b *blob.Bucket, prefix string) (keys []string, err error) {
	for o, err := range list(ctx, b, prefix) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, o)
	}
	return keys, nil
}

// list yields the keys that begin with a prefix.
func list(ctx context.Context, b *blob.Bucket, prefix string) func(yield func(string, error) bool) {
	return func(yield func(string, error) bool) {
		all := b.List(&blob.ListOptions{Prefix: prefix})
		for {
			o, err := all.Next(ctx)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield("", err)
				return
			}
			if !yield(o.Key, nil) {
				return
			}
		}
	}
}
