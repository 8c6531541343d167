package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Workers that are killed at any moment change nothing: no picture is lost, none counts twice.
func TestKill(t *testing.T) {
	if testing.Short() {
		*kills = min(*kills, 1)
	}
	command, dir := viz(t), photos(t, 60)
	args := []string{"features", "--model", "cifar10", "--layers", "all", "--images", dir}
	left1(t, exec.Command(command, append(args, "-q", "--out", "viz.idx")...))
	want := sum(t, "viz.idx")
	prism := servePrism(t)
	rng := rand.New(rand.NewPCG(50, 1))
	for killed, jobs := 0, 0; killed < *kills && jobs < *kills+20; jobs++ {
		cmd := program(append(args, "--out", "beam.idx", "--work", "work", "--unit", "1", "--processes", fmt.Sprint(2+rng.IntN(3)), "--workers", "1", "--attempts", "20", "--endpoint", prism)...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			cmd.Wait()
			close(ended)
		}()
		n := kill(cmd.Process.Pid, rng, ended, min(3, *kills-killed))
		<-ended
		killed += n
		if got := sum(t, "beam.idx"); got != want || cmd.ProcessState.ExitCode() != 1 {
			t.Fatalf("job %d, %d workers killed: the index is %s, that of viz %s\n%s", jobs, n, got, want, errs.String())
		}
		t.Logf("job %d: %d workers killed, %d in all", jobs, n, killed)
		os.Remove("beam.idx")
	}
}

// kill ends up to n of a process's workers, each at a moment of its own, as long as the process is there.
func kill(parent int, rng *rand.Rand, ended chan struct{}, n int) (killed int) {
	for {
		select {
		case <-ended:
			return killed
		case <-time.After(time.Duration(rng.IntN(150)) * time.Millisecond):
		}
		parts, _ := filepath.Glob("work/*/*/0*")
		if workers := children(parent); len(workers) > 0 && len(parts) > 0 && killed < n {
			if syscall.Kill(workers[rng.IntN(len(workers))], syscall.SIGKILL) == nil {
				killed++
			}
		}
	}
}

// children are the processes that a process started.
func children(parent int) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[0] == "Z" || fields[1] != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
