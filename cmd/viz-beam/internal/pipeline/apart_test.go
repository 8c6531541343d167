package pipeline

import (
	"testing"

	fnpb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/fnexecution_v1"
	pipepb "github.com/apache/beam/sdks/v2/go/pkg/beam/model/pipeline_v1"
)

// The metrics of a worker get its name on the way to the runner, and lose it on the way back.
func TestApart(t *testing.T) {
	data := map[string][]byte{"1": {7}}
	bundle := &fnpb.InstructionResponse{Response: &fnpb.InstructionResponse_ProcessBundle{ProcessBundle: &fnpb.ProcessBundleResponse{MonitoringData: data}}}
	progress := &fnpb.InstructionResponse{Response: &fnpb.InstructionResponse_ProcessBundleProgress{ProcessBundleProgress: &fnpb.ProcessBundleProgressResponse{MonitoringData: data}}}
	infos := &fnpb.InstructionResponse{Response: &fnpb.InstructionResponse_MonitoringInfos{MonitoringInfos: &fnpb.MonitoringInfosMetadataResponse{MonitoringInfo: map[string]*pipepb.MonitoringInfo{"1": {Urn: "u"}}}}}
	for _, r := range []*fnpb.InstructionResponse{bundle, progress, infos} {
		answered(r, "w")
	}
	if bundle.GetProcessBundle().MonitoringData["w/1"] == nil || progress.GetProcessBundleProgress().MonitoringData["w/1"] == nil || infos.GetMonitoringInfos().MonitoringInfo["w/1"].GetUrn() != "u" {
		t.Errorf("%v, %v, %v", bundle, progress, infos)
	}
	r := &fnpb.InstructionRequest{Request: &fnpb.InstructionRequest_MonitoringInfos{MonitoringInfos: &fnpb.MonitoringInfosMetadataRequest{MonitoringInfoId: []string{"w/1", "2"}}}}
	asked(r, "w")
	if ids := r.GetMonitoringInfos().MonitoringInfoId; ids[0] != "1" || ids[1] != "2" {
		t.Errorf("asked about %v", ids)
	}
}

// A worker is known by the flag that its command line begins with.
func TestIsWorker(t *testing.T) {
	for line, want := range map[string]bool{"--worker": true, "--worker=true": true, "-worker": true, "--worker=false": false, "--workers": false, "features": false, "worker": false} {
		if IsWorker([]string{"viz-beam", line}) != want {
			t.Errorf("%s: %v", line, !want)
		}
	}
	if IsWorker([]string{"viz-beam"}) {
		t.Error("no arguments make a worker")
	}
}
