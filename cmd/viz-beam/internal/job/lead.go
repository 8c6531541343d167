package job

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/deconvnet/viz/cmd/viz-beam/internal/store"
	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/model"
	"gocloud.dev/blob"
)

// Lead is a job as who started it sees it.
type Lead struct {
	Job    Job
	Place  Place
	bucket *blob.Bucket
}

// Start writes a job with its network, and its list if there is one, into a work folder. A job that is there already
// goes on where it stopped; what could not be done then is tried again.
func Start(ctx context.Context, j Job, work string, net *model.Network, list []byte, open store.Open) (l *Lead, err error) {
	j.Network = net.Hash()
	if list != nil {
		sum := sha256.Sum256(list)
		j.List = hex.EncodeToString(sum[:])
	}
	if err := j.complete(); err != nil {
		return nil, err
	}
	l = &Lead{Job: j, Place: Place{Work: work}}
	if l.Place.ID, err = j.ID(); err != nil {
		return nil, err
	}
	if l.bucket, err = l.Place.open(ctx, open); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.Close()
			err = fmt.Errorf("%s: %w", work, err)
		}
	}()
	if there, err := l.bucket.Exists(ctx, jobFile); err != nil {
		return l, err
	} else if there {
		return l, l.clear(ctx, "failed/", "began/")
	}
	if err := l.writeNetwork(ctx, net); err != nil {
		return l, err
	}
	if list != nil {
		if err := l.bucket.WriteAll(ctx, listFile, list, nil); err != nil {
			return l, err
		}
	}
	text, err := json.Marshal(j)
	if err != nil {
		return l, err
	}
	return l, l.bucket.WriteAll(ctx, jobFile, text, nil)
}

// writeNetwork writes the network as a checkpoint, which has its preprocessing and names, too.
func (l *Lead) writeNetwork(ctx context.Context, net *model.Network) error {
	dir, err := os.MkdirTemp("", "viz-beam-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, networkFile)
	if err := model.Save(name, net, nil); err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return l.bucket.Upload(ctx, networkFile, f, &blob.WriterOptions{ContentType: "application/octet-stream"})
}

// clear deletes all files whose names begin with a prefix.
func (l *Lead) clear(ctx context.Context, prefixes ...string) error {
	for _, p := range prefixes {
		names, err := listed(ctx, l.bucket, p)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := l.bucket.Delete(ctx, name); err != nil && !missing(err) {
				return err
			}
		}
	}
	return nil
}

// Left are the units whose parts are not there.
func (l *Lead) Left(ctx context.Context) (units []int, err error) {
	there := make([]bool, l.Job.Units())
	for name, err := range list(ctx, l.bucket, "part/") {
		if err != nil {
			return nil, err
		}
		if unit, err := strconv.Atoi(strings.TrimPrefix(name, "part/")); err == nil && unit < len(there) {
			there[unit] = true
		}
	}
	for unit, done := range there {
		if !done {
			units = append(units, unit)
		}
	}
	return units, nil
}

// UnderWay says in words which pictures were begun and not finished, "" if none were.
func (l *Lead) UnderWay(ctx context.Context) string {
	names, err := listed(ctx, l.bucket, "began/")
	if err != nil || len(names) == 0 {
		return ""
	}
	var texts []string
	for _, name := range names[:min(len(names), 3)] {
		unit, _ := strconv.Atoi(strings.TrimPrefix(name, "began/"))
		from, to := l.Job.Range(unit)
		texts = append(texts, fmt.Sprintf("%d to %d", from, to-1))
	}
	if len(names) > 3 {
		texts = append(texts, fmt.Sprintf("and %d more units", len(names)-3))
	}
	return "pictures " + strings.Join(texts, ", ")
}

// Failures says which units cannot be done, as a *Failed, if there are any.
func (l *Lead) Failures(ctx context.Context) error { return failures(ctx, l.bucket) }

// Done reports whether the result is there.
func (l *Lead) Done(ctx context.Context) (bool, error) { return l.bucket.Exists(ctx, resultFile) }

// Index is the result of a job for features.
func (l *Lead) Index(ctx context.Context) (*features.Index, error) {
	text, err := l.bucket.ReadAll(ctx, resultFile)
	if err != nil {
		return nil, err
	}
	x, err := features.Read(bytes.NewReader(text))
	if err == nil && !x.Complete() {
		err = fmt.Errorf("%d of %d pictures are in the result", x.Scanned(), x.Images)
	}
	return x, err
}

// Records yields the records of a job of another kind, in order of picture.
func (l *Lead) Records(ctx context.Context, yield func(Record) error) error {
	r, err := l.bucket.NewReader(ctx, resultFile, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	return records(io.Reader(r), l.Job.Pictures, yield)
}

// Remove deletes all that the job left in the work folder.
func (l *Lead) Remove(ctx context.Context) error { return l.clear(ctx, "") }

// Close gives the work folder back.
func (l *Lead) Close() error { return l.bucket.Close() }

// Tidy removes the folders that a job made on this machine, if they are empty.
func (l *Lead) Tidy(work string) {
	for _, dir := range []string{"part", "fold", "began", "failed", "."} {
		os.Remove(filepath.Join(work, l.Place.ID, dir)) // refuses unless empty
	}
	os.Remove(work)
}
