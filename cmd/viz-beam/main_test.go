package main

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deconvnet/viz/cmd/viz-beam/internal/pipeline"
)

var (
	kills    = flag.Int("kills", 2, "workers that TestKill ends")
	pictures = flag.String("pictures", "", "what TestIndex scans, instead of a few small pictures: a folder, or an archive")
)

// asProgram makes the test's binary the program itself.
const asProgram = "VIZ_BEAM_AS_PROGRAM"

func TestMain(m *testing.M) {
	if pipeline.IsWorker(os.Args) || os.Getenv(asProgram) != "" {
		main()
	}
	top, _ = filepath.Abs("../..")
	code := m.Run()
	if dir, err := built(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// top is the folder of the whole project.
var top string

// built is a folder with the command viz, which is built once, when it is first asked for.
var built = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "viz-beam-*"); err != nil {
		return dir, err
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "viz"), "./cmd/viz")
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

// viz is the command that all results are compared with.
func viz(t *testing.T) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "viz")
}

// program is viz-beam in a process of its own.
func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// photos makes a folder of n small pictures, one of which is none, and enters the folder above it.
func photos(t *testing.T, n int) string {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("photos", 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		rng := rand.New(rand.NewPCG(3, uint64(i)))
		img := image.NewNRGBA(image.Rect(0, 0, 36, 33))
		a := rng.IntN(8) + 1
		for k := range 36 * 33 {
			img.SetNRGBA(k%36, k/36, color.NRGBA{uint8(k * a), uint8(k / a), uint8(k % 36 * a), 255})
		}
		var text bytes.Buffer
		if err := png.Encode(&text, img); err != nil {
			t.Fatal(err)
		}
		if i == n/2 {
			text.Reset()
		}
		if err := os.WriteFile(fmt.Sprintf("photos/%03d.png", i), text.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return "photos"
}

// sum is the SHA-256 of a file.
func sum(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// left1 checks that a command ended as viz does if some pictures cannot be used.
func left1(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(errs.String(), "images could not be used; the others are done") {
		t.Fatalf("%v: exit code %d\n%s", cmd.Args, code, errs.String())
	}
	return out.String()
}

// freePort is a port that nobody listens at.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// servePrism starts Beam's own runner in a process of its own, and returns its address.
func servePrism(t *testing.T) string {
	t.Helper()
	for range 5 { // a port may be taken before prism takes it
		port := freePort(t)
		cmd := program("prism", "-q", "--port", fmt.Sprint(port))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			cmd.Wait()
			close(ended)
		}()
		t.Cleanup(func() {
			cmd.Process.Kill()
			<-ended
		})
		if address := fmt.Sprintf("localhost:%d", port); listens(address, ended) {
			return address
		}
	}
	t.Fatal("prism does not listen")
	return ""
}

// listens waits until somebody listens at an address, or a process has ended.
func listens(address string, ended chan struct{}) bool {
	for {
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return true
		}
	}
}

// The index is that of viz features byte for byte: by Prism in the process, with workers of their own, and by a Prism
// of its own with two to four of them. What was counted is said, and nothing is left behind.
func TestIndex(t *testing.T) {
	command, from := viz(t), *pictures
	if from == "" {
		from = photos(t, 40)
	} else {
		t.Chdir(t.TempDir())
	}
	args := []string{"features", "--model", "cifar10", "--layers", "1,2", "--images", from}
	out, _ := exec.Command(command, append(args, "--out", "viz.idx")...).CombinedOutput()
	want := sum(t, "viz.idx")
	t.Logf("viz: %s", out)
	prism := servePrism(t)
	for name, more := range map[string][]string{
		"in the process":  {"--unit", "7"},
		"two processes":   {"--unit", "3", "--processes", "2", "--workers", "1"},
		"prism by itself": {"--processes", "3", "--workers", "1", "--endpoint", prism},
		"four workers":    {"--unit", "5", "--processes", "4", "--workers", "1", "--endpoint", prism},
	} {
		cmd := program(append(append(args, "--out", "beam.idx", "--work", "work"), more...)...)
		text, _ := cmd.CombinedOutput()
		if got := sum(t, "beam.idx"); got != want {
			t.Errorf("%s: the index is %s, that of viz %s\n%s", name, got, want, text)
		}
		if *pictures == "" && !strings.Contains(string(text), "Beam counted 40 pictures, 1 of them skipped") {
			t.Errorf("%s: Beam's counters are missing\n%s", name, text)
		}
		if _, err := os.Stat("work"); !os.IsNotExist(err) {
			t.Errorf("%s: the work folder is left: %v", name, err)
		}
		if err := os.Remove("beam.idx"); err != nil {
			t.Error(err)
		}
	}
}

// The tables are those of the viz commands byte for byte; of faithful all but the seconds.
func TestTables(t *testing.T) {
	command, dir := viz(t), photos(t, 6)
	for _, c := range [][]string{
		{"classify", "--top", "3"},
		{"occlude", "--patch", "8", "--stride", "8", "--layer", "1"},
		{"attribute", "--method", "saliency,gradcam"},
	} {
		args := append(c, "--model", "cifar10")
		more := []string{"--json", dir}
		if c[0] != "classify" {
			more = append([]string{"--out", "pictures"}, more...)
		}
		want := left1(t, exec.Command(command, append(args, more...)...))
		left1(t, program(append(args, "--unit", "2", "--processes", "2", "--workers", "1", "--out", "table.json", dir)...))
		if got, err := os.ReadFile("table.json"); err != nil || string(got) != want {
			t.Errorf("%s: %v, the table is another than that of viz:\n%.500s\nwant\n%.500s", c[0], err, got, want)
		}
		os.Remove("table.json")
	}
	args := []string{"faithful", "--model", "cifar10", "--method", "saliency,gradcam", "--steps", "5", "--subsets", "4"}
	left1(t, exec.Command(command, append(args, "--out", "a", dir)...))
	left1(t, program(append(args, "--unit", "1", "--out", "b", dir)...))
	a, b := seconds(t, "a/faithful.json"), seconds(t, "b/faithful.json")
	if a != b || !strings.Contains(a, "deletion_curve") {
		t.Errorf("faithful: got\n%s\nwant\n%s", b, a)
	}
}

// seconds is a file without what follows "seconds".
func seconds(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	leave := 0
	for _, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, `"seconds": {`) {
			leave = 5
		}
		if leave--; leave < 0 {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// A picture that cannot be computed is named and ends the job; a work folder that others do not see is refused.
func TestRefused(t *testing.T) {
	photos(t, 2)
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "needs --work", []string{"features", "--runner", "flink", "photos"}},
		{2, "want one of", []string{"features", "--runner", "hadoop", "photos"}},
		{2, "both URLs and local files", []string{"features", "photos", "s3://b/p"}},
		{2, "goes with --runner prism", []string{"features", "--runner", "flink", "--work", "w", "--processes", "2", "photos"}},
		{1, "not a list of pictures", []string{"features", "--list", "photos/000.png"}},
		{2, "no pictures are named", []string{"list"}},
		{2, "want s3://", []string{"list", "http://x/y"}},
		{1, "is no index", []string{"features", "--out", "photos/000.png", "photos"}},
		{1, "is no table", []string{"classify", "--out", "photos/000.png", "photos"}},
		{2, "top", []string{"features", "--top", "0", "photos"}},
		{2, "shard", []string{"features", "--shard", "1/2", "photos"}},
	} {
		var errs bytes.Buffer
		if code := run(t.Context(), append([]string{"viz-beam"}, c.args...), &bytes.Buffer{}, &errs); code != c.code || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%v: exit code %d, want %d, and %q in\n%s", c.args, code, c.code, c.want, errs.String())
		}
	}
}
