package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/model"
)

// TestMemory runs viz occlude as a process of its own and looks at the most memory
// it had: never more than --memory allows, whose smaller values make it work
// on less at once; and what cannot be kept is refused.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, whose tests are the short ones, takes several times the memory")
	}
	dir := t.TempDir()
	net, err := model.Build("small", model.ArchOptions{Input: model.Input{C: 3, H: 128, W: 128}, Classes: []string{"a", "b"}, Width: 2, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "net.bin")
	if err := model.Save(file, net, nil); err != nil {
		t.Fatal(err)
	}
	photo, err := filepath.Abs("../../testdata/ring.png")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large.png")
	pixels := image.NewGray(image.Rect(0, 0, 6000, 5000))
	var text bytes.Buffer
	if err := png.Encode(&text, pixels); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	viz := func(memory, photo string) (peak int, stderr string, err error) {
		var log bytes.Buffer
		cmd := exec.Command(self)
		cmd.Args = []string{"viz", "occlude", "--model", file, "--size", "16", "--stride", "7", "--memory", memory, "--out", dir, photo}
		cmd.Stderr = &log
		err = cmd.Run()
		if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			peak = int(u.Maxrss) * 1024 // Linux counts in KiB
		}
		return peak, log.String(), err
	}
	summary, err := net.Summary()
	if err != nil {
		t.Fatal(err)
	}
	weights := 0
	for _, l := range summary {
		weights += 4 * l.Weights
	}
	var peaks []int
	for _, memory := range []string{"1G", "300M"} {
		limit, err := cmdline.ParseSize(memory)
		if err != nil {
			t.Fatal(err)
		}
		peak, stderr, err := viz(memory, photo)
		if err != nil {
			t.Fatalf("--memory %s: %v\n%s", memory, err, stderr)
		}
		if peak > limit {
			t.Errorf("--memory %s: the process had %d MB\n%s", memory, peak/1_000_000, stderr)
		}
		peaks = append(peaks, peak)
	}
	t.Logf("weights %d MB, peaks %d and %d MB", weights/1_000_000, peaks[0]/1_000_000, peaks[1]/1_000_000)
	for _, picture := range []string{photo, large} {
		// A file that is too large by itself is refused before anything else is known.
		for memory, tries := "80M", 0; ; tries++ {
			limit, err := cmdline.ParseSize(memory)
			if err != nil {
				t.Fatal(err)
			}
			peak, stderr, err := viz(memory, picture)
			if err == nil {
				if tries == 0 || peak > limit {
					t.Errorf("--memory %s of %s: the process had %d MB\n%s", memory, picture, peak/1_000_000, stderr)
				}
				break
			}
			least := regexp.MustCompile(`hint: --memory (\d+M)`).FindStringSubmatch(stderr)
			if tries == 3 || least == nil {
				t.Fatalf("--memory %s of %s: %v\n%s", memory, picture, err, stderr)
			}
			memory = least[1]
		}
	}
}
