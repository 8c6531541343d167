package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/runtime/graphx"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal/runnerlib"
	"github.com/deconvnet/viz/cmd/viz-beam/internal/job"
	"google.golang.org/protobuf/proto"
)

// onProcesses runs the pipeline on worker processes of this machine. Prism starts one worker for each environment of a
// pipeline, so there are as many environments as processes, each with its part of the units.
func onProcesses(ctx context.Context, l *job.Lead, o Options) (beam.PipelineResult, error) {
	endpoint := o.Endpoint
	if endpoint == "" {
		var err error
		if endpoint, err = startPrism(ctx); err != nil {
			return nil, err
		}
	}
	pool, err := StartPool("localhost:0", o.Threads, o.Verbose, true)
	if err != nil {
		return nil, err
	}
	defer pool.Stop()
	edges, _, err := build(l.Job, l.Place, o.Processes).Build()
	if err != nil {
		return nil, err
	}
	environment, err := graphx.CreateEnvironment(ctx, graphx.URNEnvExternal, func(context.Context) string { return pool.Address() })
	if err != nil {
		return nil, err
	}
	p, err := graphx.Marshal(edges, &graphx.Options{Environment: environment})
	if err != nil {
		return nil, err
	}
	split(p, o.Processes)
	binary, err := placeholder()
	if err != nil {
		return nil, err
	}
	defer os.Remove(binary)
	// Prism would wait a minute for a worker that ended before it called.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-pool.Died():
			cancel(errDied)
		case <-ctx.Done():
		}
	}()
	result, err := runnerlib.Execute(ctx, p, endpoint, &runnerlib.JobOptions{Name: "viz-" + string(l.Job.Kind), Worker: binary, Parallelism: -1}, false)
	if err != nil {
		if context.Cause(ctx) == errDied {
			err = errDied
		}
		return nil, err
	}
	return result, nil
}

var errDied = errors.New("a worker process ended")

// placeholder is an empty file in the place of the program, which workers of this machine have already.
func placeholder() (string, error) {
	f, err := os.CreateTemp("", "viz-beam-*")
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// split gives the steps of each branch an environment of their own.
func split(p *pipepb.Pipeline, branches int) {
	c := p.GetComponents()
	const first = "go"
	for b := 1; b < branches; b++ {
		env := fmt.Sprintf("%s%d", first, b+1)
		e := proto.Clone(c.Environments[first]).(*pipepb.Environment)
		e.Dependencies = nil
		c.Environments[env] = e
		for id, t := range c.Transforms {
			if t.GetUniqueName() == branchName(b) {
				move(c, id, first, env)
			}
		}
	}
}

// move gives a step, and the steps it consists of, another environment.
func move(c *pipepb.Components, id, from, to string) {
	t := c.Transforms[id]
	if t.GetEnvironmentId() == from {
		t.EnvironmentId = to
	}
	for _, sub := range t.GetSubtransforms() {
		move(c, sub, from, to)
	}
}

// startPrism starts Beam's own runner in this process, on a port of its own.
func startPrism(ctx context.Context) (endpoint string, err error) {
	free, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return "", err
	}
	port := free.Addr().(*net.TCPAddr).Port
	if err := free.Close(); err != nil {
		return "", err
	}
	if _, err := prism.CreateJobServer(ctx, prism.Options{Port: port}); err != nil {
		return "", err
	}
	return fmt.Sprintf("localhost:%d", port), nil
}

// ServePrism serves Beam's own runner on a port until the context ends.
func ServePrism(ctx context.Context, port int) error {
	if _, err := prism.CreateJobServer(ctx, prism.Options{Port: port}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
