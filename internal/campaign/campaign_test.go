package campaign_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestShort is a short form of each campaign. Where programs cannot be traced, or there is no go command, nothing is
// tested.
func TestShort(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	viz := filepath.Join(t.TempDir(), "viz")
	build := exec.Command("go", "build", "-o", viz, "./cmd/viz")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, args := range []string{
		"faults -only train -most 12 -at .part",
		"faults -only features -most 8",
		"faults -only classify -most 4 -at stdout",
		"power -only train -orders 5",
		"power -only sanity -orders 5",
	} {
		name, rest, _ := strings.Cut(args, " ")
		cmd := exec.Command("go", append([]string{"run", "./internal/campaign/" + name, "-viz", viz}, strings.Fields(rest)...)...)
		cmd.Dir = "../.."
		switch out, err := cmd.CombinedOutput(); {
		case strings.Contains(string(out), "cannot be traced here"):
			t.Skipf("not tested: %s", out)
		case err != nil:
			t.Errorf("%s: %v\n%s", args, err, out)
		}
	}
}
