package pipeline

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/options/jobopts"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/dataflow" // --runner dataflow
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/flink"    // --runner flink
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/spark"    // --runner spark
	"github.com/deconvnet/viz/cmd/viz-beam/internal/job"
)

// Runner is which of Beam's runners is asked.
type Runner string

// The runners.
const (
	Prism    Runner = "prism"    // Beam's own, for one machine; in this process unless Endpoint names another
	Flink    Runner = "flink"    // Apache Flink's job service
	Spark    Runner = "spark"    // Apache Spark's
	Dataflow Runner = "dataflow" // Google's
	Portable Runner = "portable" // any other with a job service
)

// Runners lists them.
func Runners() []Runner { return []Runner{Prism, Flink, Spark, Dataflow, Portable} }

// ParseRunner reads the name of a runner.
func ParseRunner(s string) (Runner, error) {
	if r := Runner(s); slices.Contains(Runners(), r) {
		return r, nil
	}
	return "", fmt.Errorf("%s: want one of %v", s, Runners())
}

// Options say how a job is run.
type Options struct {
	Runner      Runner
	Endpoint    string   // host:port of the runner's job service
	Environment string   // of workers, as Beam names them: docker, process, external, loopback
	Config      string   // of the environment: an image, a command, an address
	Processes   int      // worker processes started here, for Prism; 0: work is done in this process
	Threads     int      // of each worker; 0: all processors
	Beam        []string // more flags, as Beam's runners name them: --parallelism=64
	Attempts    int      // runs in a row that bring nothing new before it is given up; 0: 3
	Verbose     bool     // the runner's own messages are shown
	Note        func(format string, args ...any)
	Progress    func(done, total int) // is told now and then how many units are done; nil: nobody is
}

// Metrics are what Beam counted in the runs that came to their end.
type Metrics struct {
	Pictures, Skipped, Kept, Failed int
	Seconds                         float64 // of all workers together
}

// Run runs a job until its result is there. A run that fails, since a worker ended or a store could not be reached,
// is followed by another, which goes on where that one stopped.
func Run(ctx context.Context, l *job.Lead, o Options) (total Metrics, err error) {
	if o.Attempts == 0 {
		o.Attempts = 3
	}
	if err := prepare(o); err != nil {
		return total, err
	}
	before, err := l.Left(ctx)
	if err != nil {
		return total, err
	}
	end := watch(ctx, l, o.Progress)
	defer end()
	for idle := 0; ; {
		m, err := once(ctx, l, o)
		total.add(m)
		if ctx.Err() != nil {
			return total, ctx.Err()
		}
		if failures := l.Failures(ctx); failures != nil {
			return total, failures
		}
		done, doneErr := l.Done(ctx)
		if done && doneErr == nil {
			return total, nil
		}
		if err == nil {
			err = errors.Join(errors.New("the runner said that it was done, but there is no result"), doneErr)
		}
		left, leftErr := l.Left(ctx)
		if leftErr != nil {
			return total, errors.Join(err, leftErr)
		}
		if idle++; len(left) < len(before) {
			idle = 0
		}
		before = left
		if idle == o.Attempts {
			if way := l.UnderWay(ctx); way != "" {
				err = fmt.Errorf("%w; under way were %s", err, way)
			}
			return total, fmt.Errorf("%d runs in a row brought nothing new: %w", idle, err)
		}
		if o.Note != nil {
			o.Note("a run ended early, %d of %d units are left: another begins (%s)", len(left), l.Job.Units(), short(err))
		}
	}
}

// watchEvery is how often it is looked how far a job is. In an object store each look costs a request.
const watchEvery = 10 * time.Second

// watch tells how far a job is until end is called.
func watch(ctx context.Context, l *job.Lead, progress func(done, total int)) (end func()) {
	if progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if left, err := l.Left(ctx); err == nil {
				progress(l.Job.Units()-len(left), l.Job.Units())
			}
		}
	})
	return func() {
		cancel()
		ended.Wait()
	}
}

func (m *Metrics) add(o Metrics) {
	m.Pictures, m.Skipped, m.Kept, m.Failed = m.Pictures+o.Pictures, m.Skipped+o.Skipped, m.Kept+o.Kept, m.Failed+o.Failed
	m.Seconds += o.Seconds
}

// short is an error in a line.
func short(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	const long = 300
	if len(text) > long {
		text = text[:long] + " ..."
	}
	return text
}

// prepare sets what Beam keeps in variables of its own.
func prepare(o Options) error {
	flag.CommandLine.Init("beam", flag.ContinueOnError)
	flag.CommandLine.SetOutput(io.Discard)
	if err := flag.CommandLine.Parse(o.Beam); err != nil {
		return err
	}
	if rest := flag.Args(); len(rest) > 0 {
		return fmt.Errorf("%s is no flag of Beam", rest[0])
	}
	if !beam.Initialized() {
		beam.Init()
	}
	if o.Verbose { // Init has its own mind about logging
		slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	} else {
		slog.SetDefault(slog.New(slog.DiscardHandler))
		beamlog.SetLogger(silent{})
	}
	process.Threads = o.Threads
	return nil
}

// silent drops what Beam would log.
type silent struct{}

func (silent) Log(context.Context, beamlog.Severity, int, string) {}

// once runs the pipeline one time.
func once(ctx context.Context, l *job.Lead, o Options) (m Metrics, err error) {
	var result beam.PipelineResult
	if o.Processes > 0 {
		result, err = onProcesses(ctx, l, o)
	} else {
		if o.Runner == Prism && o.Environment == "" {
			o.Environment = "loopback"
		}
		*jobopts.Endpoint, *jobopts.EnvironmentType, *jobopts.EnvironmentConfig = o.Endpoint, o.Environment, o.Config
		result, err = beam.Run(ctx, string(o.Runner), build(l.Job, l.Place, 1))
	}
	if result != nil && err == nil {
		m = read(result)
	}
	return m, err
}

// read reads the metrics of a run.
func read(result beam.PipelineResult) (m Metrics) {
	for _, c := range result.Metrics().AllMetrics().Counters() {
		if c.Key.Namespace != namespace {
			continue
		}
		n := int(c.Result())
		switch c.Key.Name {
		case pictures:
			m.Pictures += n
		case skipped:
			m.Skipped += n
		case kept:
			m.Kept += n
		case failed:
			m.Failed += n
		case millis:
			m.Seconds += float64(n) / 1000
		}
	}
	return m
}
