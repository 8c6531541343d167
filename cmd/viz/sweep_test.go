package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deconvnet/viz/sweep"
)

// A campaign that is stopped in the middle of a run and started again ends with
// the curve and the weights of one that was not.
func TestCampaignResumes(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("grey", 0o777); err != nil {
		t.Fatal(err)
	}
	images, labels := []byte{0, 0, 8, 3, 0, 0, 0, 60, 0, 0, 0, 8, 0, 0, 0, 8}, []byte{0, 0, 8, 1, 0, 0, 0, 60}
	for i := range 60 {
		labels = append(labels, byte(i%10))
		for p := range 64 {
			images = append(images, byte(i%10*p+i))
		}
	}
	for _, name := range []string{"train", "t10k"} {
		if err := os.WriteFile("grey/"+name+"-images-idx3-ubyte", images, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("grey/"+name+"-labels-idx1-ubyte", labels, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	command := func(out string) []string {
		return strings.Fields("viz ablate --data grey --arch lenet5 --width 0.1 --variant none:conv1*2 --seeds 1 --steps 30 --evals 10 --batch 10 --out " + out)
	}
	if code := run(context.Background(), command("whole"), io.Discard, io.Discard); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &trigger{at: "step 12 of 30", cancel: cancel}
	if code := run(ctx, command("broken"), io.Discard, w); code != 130 {
		t.Fatalf("exit code %d, want 130: %s", code, w.all.String())
	}
	var stderr bytes.Buffer
	if code := run(context.Background(), command("broken"), io.Discard, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if s := stderr.String(); strings.Contains(s, "full, seed 0: from step 0") {
		t.Errorf("the run started anew: %s", s)
	}
	for _, name := range []string{"full,_seed_0", "none,_seed_0"} {
		var curves [2]string
		var weights [2][]byte
		for i, dir := range []string{"whole", "broken"} {
			text, err := os.ReadFile(filepath.Join(dir, "runs", name, "run.json"))
			if err != nil {
				t.Fatal(err)
			}
			var r sweep.Run
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			for k := range r.Points {
				r.Points[k].Loss = nil // a mean over the steps since the last report, which a break cuts short
			}
			points, _ := json.Marshal(r.Points)
			curves[i] = string(points)
			if weights[i], err = os.ReadFile(filepath.Join(dir, "runs", name, "ckpt.bin")); err != nil {
				t.Fatal(err)
			}
		}
		if curves[0] != curves[1] {
			t.Errorf("%s: curves differ:\n%s\n%s", name, curves[0], curves[1])
		}
		if !bytes.Equal(weights[0], weights[1]) {
			t.Errorf("%s: the checkpoints differ", name)
		}
	}
}
