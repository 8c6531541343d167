package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
			var r trained
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

// Rank correlations worked out by hand.
func TestSpearman(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		x, y   []float64
		rho, p float64
		n      int
	}{
		{[]float64{1, 2, 3, 4}, []float64{10, 20, 30, 99}, 1, 2. / 24, 4}, // and the one in reverse
		{[]float64{1, 2, 3}, []float64{5, 4, 3}, -1, 2. / 6, 3},           //
		{[]float64{1, 2, 3, 4}, []float64{1, 3, 2, 4}, 0.8, 8. / 24, 4},   // 1 - 6*2/(4*15); as strong: +-1, and +-0.8 thrice each
		{[]float64{1, 2, nan, 3}, []float64{5, 4, 100, 3}, -1, 2. / 6, 3}, // NaN is left out
		{[]float64{1, 1, 1, 1}, []float64{1, 2, 3, 4}, nan, nan, 4},       // nothing varies
		{[]float64{1, 2}, []float64{1, 2}, nan, nan, 2},                   // too few
		{[]float64{1, 1, 2, 2}, []float64{3, 3, 7, 7}, 1, 8. / 24, 4},     // ties
	} {
		rho, p, n := spearman(c.x, c.y)
		same := func(a, b float64) bool { return math.Abs(a-b) < 1e-12 || a != a && b != b }
		if !same(rho, c.rho) || !same(p, c.p) || n != c.n {
			t.Errorf("%v, %v: %v, %v, %d, want %v, %v, %d", c.x, c.y, rho, p, n, c.rho, c.p, c.n)
		}
	}
}

// Pairs of trials that differ in one setting alone are found whatever they are called.
func TestOnlyDiffer(t *testing.T) {
	var rows []trialRow
	for _, c := range courseTrials {
		rows = append(rows, trialRow{Trial: c})
	}
	if got := onlyDiffer(rows, "keep"); len(got) != 1 || got[0] != [2]int{0, 1} {
		t.Errorf("differ in the keep rate alone: %v", got)
	}
	if got := onlyDiffer(rows, "batch"); len(got) != 0 {
		t.Errorf("differ in the batch alone: %v", got)
	}
}
