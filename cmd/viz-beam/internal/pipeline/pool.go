package pipeline

import (
	"context"
	"flag"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	"google.golang.org/grpc"
)

// threadsVariable tells a worker process how many processors it may use.
const threadsVariable = "VIZ_BEAM_THREADS"

// Pool starts workers of Beam as processes of this program, for runners whose environment is "external".
type Pool struct {
	fnpb.UnimplementedBeamFnExternalWorkerPoolServer
	threads int
	verbose bool
	listen  net.Listener
	server  *grpc.Server

	mu      sync.Mutex
	stopped bool
	died    chan struct{} // closed when a worker ended that nobody stopped
	dead    bool
	workers map[string]*exec.Cmd
	runners map[string]string // by worker: where its runner listens
	apart   bool              // metrics of the workers are kept apart
	waiting sync.WaitGroup
}

// StartPool listens at an address, "host:port". keepApart: the runner is Prism, which mixes up the metrics of workers.
func StartPool(address string, threads int, verbose, keepApart bool) (*Pool, error) {
	listen, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	p := &Pool{threads: threads, verbose: verbose, listen: listen, server: grpc.NewServer(grpc.MaxRecvMsgSize(math.MaxInt32)), apart: keepApart, runners: map[string]string{}, died: make(chan struct{}), workers: map[string]*exec.Cmd{}}
	fnpb.RegisterBeamFnExternalWorkerPoolServer(p.server, p)
	fnpb.RegisterBeamFnControlServer(p.server, &apart{runner: p.runner})
	go p.server.Serve(listen)
	return p, nil
}

// Address is where the pool listens.
func (p *Pool) Address() string { return p.listen.Addr().String() }

// runner is where the runner of a worker listens.
func (p *Pool) runner(worker string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runners[worker]
}

// Died is closed when a worker ended that nobody stopped.
func (p *Pool) Died() <-chan struct{} { return p.died }

// StartWorker starts a process.
func (p *Pool) StartWorker(_ context.Context, r *fnpb.StartWorkerRequest) (*fnpb.StartWorkerResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := r.GetWorkerId()
	if p.stopped || p.workers[id] != nil {
		return &fnpb.StartWorkerResponse{Error: "the pool ends, or has a worker " + id}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return &fnpb.StartWorkerResponse{Error: err.Error()}, nil
	}
	control := r.GetControlEndpoint().GetUrl()
	p.runners[id] = control
	if p.apart {
		control = p.Address()
	}
	cmd := exec.Command(self, "--worker", "--id="+id, "--logging_endpoint="+r.GetLoggingEndpoint().GetUrl(), "--control_endpoint="+control)
	cmd.Env = append(os.Environ(), threadsVariable+"="+strconv.Itoa(p.threads))
	if p.verbose {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		return &fnpb.StartWorkerResponse{Error: err.Error()}, nil
	}
	p.workers[id] = cmd
	p.waiting.Go(func() {
		cmd.Wait() // how it ended, the runner knows
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.workers[id] == cmd && !p.stopped && !p.dead {
			p.dead = true
			close(p.died)
		}
		delete(p.workers, id)
	})
	return &fnpb.StartWorkerResponse{}, nil
}

// StopWorker ends a process.
func (p *Pool) StopWorker(_ context.Context, r *fnpb.StopWorkerRequest) (*fnpb.StopWorkerResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cmd := p.workers[r.GetWorkerId()]; cmd != nil {
		delete(p.workers, r.GetWorkerId())
		cmd.Process.Kill()
	}
	return &fnpb.StopWorkerResponse{}, nil
}

// Stop ends all workers and the pool.
func (p *Pool) Stop() {
	p.mu.Lock()
	p.stopped = true
	for _, cmd := range p.workers {
		cmd.Process.Kill()
	}
	p.mu.Unlock()
	p.waiting.Wait()
	p.server.Stop()
}

// IsWorker reports whether this process is to be a worker: a pool started it, or the container of one of Beam's
// runners did, whose command line begins with Beam's flag --worker.
func IsWorker(args []string) bool {
	if len(args) < 2 {
		return false
	}
	name, value, _ := strings.Cut(strings.TrimLeft(args[1], "-"), "=")
	return strings.HasPrefix(args[1], "-") && name == "worker" && value != "false"
}

// Work is the life of a worker. It returns only if it could not begin.
func Work(args []string) error {
	if text := os.Getenv(threadsVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("$%s=%s: want a number of processors", threadsVariable, text)
		}
		process.Threads = n
	}
	if err := flag.CommandLine.Parse(args[1:]); err != nil {
		return err
	}
	beam.Init()
	return fmt.Errorf("%s is not the command line of a worker", strings.Join(args, " "))
}
