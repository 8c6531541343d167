package campaign

import (
	"bytes"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
)

// Ended is how a run of a program ended.
type Ended struct {
	State          *os.ProcessState
	Stdout, Stderr []byte
	Late           bool // it was killed
}

// Code is the exit code, -1 if a signal ended the run.
func (e *Ended) Code() int { return e.State.ExitCode() }

// RunWithin runs a command, and kills it after a while. That it ends with an exit code or is killed is no error.
func RunWithin(cmd *exec.Cmd, limit time.Duration) (*Ended, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var late atomic.Bool
	timer := time.AfterFunc(limit, func() { late.Store(true); cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); cmd.ProcessState == nil {
		return nil, err
	}
	return &Ended{State: cmd.ProcessState, Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Late: late.Load()}, nil
}
