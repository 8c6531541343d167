package pipeline

import (
	"context"
	"fmt"
	"math"
	"strings"

	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/util/grpcx"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// apart stands between Prism and the workers of one job, and keeps their metrics apart: each worker numbers its metrics
// from 1, and Prism takes a number for the same metric wherever it comes from. Here a number gets the worker's name.
type apart struct {
	fnpb.UnimplementedBeamFnControlServer
	runner func(worker string) (endpoint string) // of a worker
}

// dial connects to the runner of the worker that calls.
func (a *apart) dial(ctx context.Context) (id string, c fnpb.BeamFnControlClient, conn *grpc.ClientConn, err error) {
	if id, err = grpcx.ReadWorkerID(ctx); err != nil {
		return "", nil, nil, err
	}
	endpoint := a.runner(id)
	if endpoint == "" {
		return "", nil, nil, fmt.Errorf("no worker %s was started here", id)
	}
	conn, err = grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	return id, fnpb.NewBeamFnControlClient(conn), conn, err
}

// GetProcessBundleDescriptor asks the runner.
func (a *apart) GetProcessBundleDescriptor(ctx context.Context, r *fnpb.GetProcessBundleDescriptorRequest) (*fnpb.ProcessBundleDescriptor, error) {
	id, runner, conn, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return runner.GetProcessBundleDescriptor(grpcx.WriteWorkerID(ctx, id), r)
}

// Control hands on what the runner asks a worker, and what it answers.
func (a *apart) Control(worker fnpb.BeamFnControl_ControlServer) error {
	ctx, cancel := context.WithCancel(worker.Context())
	defer cancel()
	id, client, conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	runner, err := client.Control(grpcx.WriteWorkerID(ctx, id))
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	go func() {
		for {
			r, err := runner.Recv()
			if err == nil {
				asked(r, id)
				err = worker.Send(r)
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	go func() {
		for {
			r, err := worker.Recv()
			if err == nil {
				answered(r, id)
				err = runner.Send(r)
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	return <-ended
}

// asked takes the worker's name from the metrics that the runner asks about.
func asked(r *fnpb.InstructionRequest, worker string) {
	if m := r.GetMonitoringInfos(); m != nil {
		for i, id := range m.MonitoringInfoId {
			m.MonitoringInfoId[i] = strings.TrimPrefix(id, worker+"/")
		}
	}
}

// answered gives the worker's name to the metrics of an answer.
func answered(r *fnpb.InstructionResponse, worker string) {
	switch {
	case r.GetProcessBundle() != nil:
		r.GetProcessBundle().MonitoringData = named(r.GetProcessBundle().MonitoringData, worker)
	case r.GetProcessBundleProgress() != nil:
		r.GetProcessBundleProgress().MonitoringData = named(r.GetProcessBundleProgress().MonitoringData, worker)
	case r.GetMonitoringInfos() != nil:
		r.GetMonitoringInfos().MonitoringInfo = named(r.GetMonitoringInfos().MonitoringInfo, worker)
	}
}

func named[T any](m map[string]T, worker string) map[string]T {
	out := make(map[string]T, len(m))
	for id, v := range m {
		out[worker+"/"+id] = v
	}
	return out
}
