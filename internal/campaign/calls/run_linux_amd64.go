package calls

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	waitAll      = 0x40000000 | 0x20000000 // __WALL | __WNOTHREAD: threads, too, and only those that this thread traces
	goodStops    = 0x1                     // PTRACE_O_TRACESYSGOOD: stops at system calls are told from signals
	endsWithUs   = 0x100000                // PTRACE_O_EXITKILL
	atFilter     = 0x80                    // PTRACE_O_TRACESECCOMP: the filter stops the program
	filtered     = 7                       // PTRACE_EVENT_SECCOMP: it did
	atEnd        = syscall.SIGTRAP | 0x80
	here         = -100 // AT_FDCWD: paths begin where the program runs
	anonymous    = 0x20 // MAP_ANONYMOUS: no file is mapped
	largestWrite = 1 << 30
)

// thread is one thread of the program.
type thread struct {
	call *Call // whose end After wants to see
}

// tracer follows one process.
type tracer struct {
	Program
	pid     int
	memory  *os.File
	threads map[int]*thread
}

// Run runs a program to its end.
func Run(p Program) (End, error) {
	runtime.LockOSThread() // who starts a process traces it
	defer runtime.UnlockOSThread()
	if p.Within == "" {
		p.Within = p.Dir
	}
	watched := p.Before != nil || p.After != nil
	process, err := os.StartProcess(p.Args[0], p.Args, &os.ProcAttr{Dir: p.Dir, Env: p.Env, Files: []*os.File{nil, p.Stdout, p.Stderr},
		Sys: &syscall.SysProcAttr{Ptrace: watched}})
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		return End{}, fmt.Errorf("%w: %w", ErrCannot, err)
	}
	if err != nil {
		return End{}, err
	}
	defer process.Release()
	t := tracer{Program: p, pid: process.Pid, threads: map[int]*thread{process.Pid: {}}}
	var late atomic.Bool
	if p.Limit > 0 {
		timer := time.AfterFunc(p.Limit, func() { late.Store(true); syscall.Kill(t.pid, syscall.SIGKILL) })
		defer timer.Stop()
	}
	follow := t.follow
	if !watched {
		follow = t.leave
	}
	end, err := follow()
	if err != nil {
		syscall.Kill(t.pid, syscall.SIGKILL)
	}
	end.Late = end.Signal == syscall.SIGKILL && late.Load()
	return end, err
}

// leave waits for a program that nobody watches.
func (t *tracer) leave() (End, error) {
	var status syscall.WaitStatus
	_, err := wait(t.pid, &status)
	return ended(status), err
}

func ended(status syscall.WaitStatus) End {
	if status.Exited() {
		return End{Code: status.ExitStatus()}
	}
	return End{Code: -1, Signal: status.Signal()}
}

func (t *tracer) follow() (End, error) {
	var status syscall.WaitStatus
	if _, err := wait(t.pid, &status); err != nil {
		return End{}, err
	}
	if !status.Stopped() {
		return End{}, fmt.Errorf("%w: %v", ErrCannot, status)
	}
	if err := syscall.PtraceSetOptions(t.pid, goodStops|endsWithUs|atFilter|syscall.PTRACE_O_TRACECLONE); err != nil {
		return End{}, fmt.Errorf("%w: %w", ErrCannot, err)
	}
	if err := t.setFilter(); err != nil {
		return End{}, err
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", t.pid))
	if err != nil {
		return End{}, err
	}
	defer memory.Close()
	t.memory = memory
	next, signal := t.pid, 0
	for {
		if err := t.proceed(next, signal); err != nil && err != syscall.ESRCH {
			return End{}, err
		}
		if next, err = wait(-1, &status); err != nil {
			return End{}, err
		}
		signal = 0
		switch {
		case status.Exited() || status.Signaled():
			delete(t.threads, next)
			if next == t.pid {
				return ended(status), nil
			}
		case t.threads[next] == nil: // a new thread stops before it begins
			t.threads[next] = &thread{}
		case status.TrapCause() == filtered:
			err = t.begins(next)
		case status.StopSignal() == atEnd:
			err = t.ends(next)
		case status.StopSignal() == syscall.SIGTRAP: // a thread was made
		default:
			signal = int(status.StopSignal())
		}
		if err != nil && err != syscall.ESRCH {
			return End{}, err
		}
	}
}

func wait(pid int, status *syscall.WaitStatus) (int, error) {
	for {
		got, err := syscall.Wait4(pid, status, waitAll, nil)
		if err != syscall.EINTR {
			return got, err
		}
	}
}

// proceed lets a thread run to its next stop: the end of a call that After wants to see, or a call that the filter stops
// at. One that has gone is no error.
func (t *tracer) proceed(tid, signal int) error {
	if th := t.threads[tid]; th != nil && th.call != nil {
		return syscall.PtraceSyscall(tid, signal)
	}
	return syscall.PtraceCont(tid, signal)
}

// ends is a thread at the end of a call.
func (t *tracer) ends(tid int) error {
	th := t.threads[tid]
	call := th.call
	th.call = nil
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &r); err != nil {
		return err
	}
	if call != nil && t.After != nil {
		t.After(*call, int64(r.Rax))
	}
	return nil
}

// begins is a thread at the begin of a call.
func (t *tracer) begins(tid int) error {
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &r); err != nil {
		return err
	}
	call, err := t.call(kinds[r.Orig_rax], &r)
	if err != nil || call == nil {
		return err
	}
	if t.Before != nil {
		if fail := t.Before(call); fail != 0 {
			r.Orig_rax, r.Rax = ^uint64(0), uint64(-int64(fail)) // no call at all
			return syscall.PtraceSetRegs(tid, &r)
		}
	}
	if t.After != nil {
		t.threads[tid].call = call
	}
	if call.Name == "write" && uint64(call.Size) < r.Rdx {
		r.Rdx = uint64(call.Size)
		return syscall.PtraceSetRegs(tid, &r)
	}
	return nil
}

// call is the call that a thread begins, nil if it is none on a file of ours.
func (t *tracer) call(k kind, r *syscall.PtraceRegs) (*Call, error) {
	c := &Call{Name: k.name, FD: int(int32(r.Rdi)), Size: int64(r.Rdx)}
	var err error
	switch k.how {
	case byFD:
		c.Path = t.open(c.FD)
	case byMapped:
		if r.R10&anonymous != 0 {
			return nil, nil
		}
		c.FD = int(int32(r.R8))
		c.Path = t.open(c.FD)
	case byPath:
		c.Path, err = t.path(here, r.Rdi)
	case byAt:
		c.Path, err = t.path(c.FD, r.Rsi)
		c.Flags = int(r.Rdx)
	case byTwo:
		c.Path, err = t.path(here, r.Rdi)
		if err == nil {
			c.To, err = t.path(here, r.Rsi)
		}
	case byTwoAt:
		c.Path, err = t.path(c.FD, r.Rsi)
		if err == nil {
			c.To, err = t.path(int(int32(r.Rdx)), r.R10)
		}
	}
	if err != nil || !t.within(c.Path) && !t.within(c.To) {
		return nil, err
	}
	switch k.name {
	case "write", "pwrite64":
		c.Offset = int64(r.R10)
		if t.Data && c.Size <= largestWrite {
			c.Data = make([]byte, c.Size)
			_, err = t.memory.ReadAt(c.Data, int64(r.Rsi))
		}
	case "lseek":
		c.Offset, c.Whence = int64(r.Rsi), int(r.Rdx)
	case "ftruncate", "truncate":
		c.Size = int64(r.Rsi)
	}
	return c, err
}

func (t *tracer) within(path string) bool {
	return path == t.Within || strings.HasPrefix(path, t.Within+"/")
}

// open is the path of an open file, "" if there is none.
func (t *tracer) open(fd int) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", t.pid, fd))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(path, " (deleted)")
}

// path is a path in the program's memory, made absolute.
func (t *tracer) path(folder int, at uint64) (string, error) {
	var text []byte
	for end := -1; end < 0; {
		piece := make([]byte, 4096-at%4096) // what follows may not be there
		if _, err := t.memory.ReadAt(piece, int64(at)); err != nil {
			return "", nil // no path; the call will fail
		}
		if end = bytes.IndexByte(piece, 0); end >= 0 {
			piece = piece[:end]
		}
		text = append(text, piece...)
		at += uint64(len(piece))
	}
	path := string(text)
	switch {
	case filepath.IsAbs(path):
		return filepath.Clean(path), nil
	case folder != here:
		return filepath.Join(t.open(folder), path), nil
	}
	return filepath.Join(t.Dir, path), nil
}
