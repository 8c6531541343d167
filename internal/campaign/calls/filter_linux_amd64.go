package calls

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"syscall"
)

const (
	// Of the kernel's filters of system calls (seccomp): the program is stopped at a call, or does it.
	stopsAt = 0x7ff00000 // SECCOMP_RET_TRACE
	doesIt  = 0x7fff0000 // SECCOMP_RET_ALLOW

	loadWord     = 0x20 // BPF_LD | BPF_W | BPF_ABS
	jumpIfEqual  = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	jumpIfSet    = 0x45 // BPF_JMP | BPF_JSET | BPF_K
	gives        = 0x06 // BPF_RET | BPF_K
	atNumber     = 0    // where the filter finds the call's number, and the lower half of its fourth argument
	atFourth     = 16 + 3*8
	callMmap     = 9
	callPrctl    = 157
	noPrivileges = 38 // PR_SET_NO_NEW_PRIVS
	setFilter    = 22 // PR_SET_SECCOMP
	modeFilter   = 2
	belowStack   = 8192 // so far below what the program has on its stack there is room for the filter
)

// filter is a program for the kernel that stops at the calls in kinds, but for maps of no file: without it the thread would
// stop twice at each of the many calls that have nothing to do with files.
func filter() []byte {
	var out []byte
	add := func(code uint16, yes, no int, k uint32) {
		out = binary.LittleEndian.AppendUint16(out, code)
		out = append(out, byte(yes), byte(no))
		out = binary.LittleEndian.AppendUint32(out, k)
	}
	numbers := slices.Sorted(maps.Keys(kinds))
	add(loadWord, 0, 0, atNumber)
	for i, n := range numbers {
		if n == callMmap {
			add(jumpIfEqual, len(numbers)-i+1, 0, uint32(n))
			continue
		}
		add(jumpIfEqual, len(numbers)-i, 0, uint32(n))
	}
	add(gives, 0, 0, doesIt)
	add(gives, 0, 0, stopsAt)
	add(loadWord, 0, 0, atFourth) // mmap
	add(jumpIfSet, 0, 1, anonymous)
	add(gives, 0, 0, doesIt)
	add(gives, 0, 0, stopsAt)
	return out
}

// setFilter makes the program, which has not begun, ask the kernel for the filter: the call is written over its first
// instruction, and the instruction is put back.
func (t *tracer) setFilter() error {
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(t.pid, &r); err != nil {
		return err
	}
	code := filter()
	at := (r.Rsp - belowStack) &^ 15
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(code)/8))
	head = binary.LittleEndian.AppendUint64(head, at+16)
	if _, err := syscall.PtracePokeData(t.pid, uintptr(at), append(head, code...)); err != nil {
		return err
	}
	was := make([]byte, 8)
	if _, err := syscall.PtracePeekText(t.pid, uintptr(r.Rip), was); err != nil {
		return err
	}
	instruction := append([]byte{0x0f, 0x05}, was[2:]...) // syscall
	if _, err := syscall.PtracePokeText(t.pid, uintptr(r.Rip), instruction); err != nil {
		return err
	}
	for _, args := range [][3]uint64{{noPrivileges, 1, 0}, {setFilter, modeFilter, at}} {
		if err := t.ask(r, args); err != nil {
			return err
		}
	}
	if _, err := syscall.PtracePokeText(t.pid, uintptr(r.Rip), was); err != nil {
		return err
	}
	return syscall.PtraceSetRegs(t.pid, &r)
}

// ask makes the program do prctl where it stands.
func (t *tracer) ask(r syscall.PtraceRegs, args [3]uint64) error {
	r.Rax, r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8 = callPrctl, args[0], args[1], args[2], 0, 0
	r.Orig_rax = ^uint64(0) // it is not in a call that could be begun again
	if err := syscall.PtraceSetRegs(t.pid, &r); err != nil {
		return err
	}
	if err := syscall.PtraceSingleStep(t.pid); err != nil {
		return err
	}
	var status syscall.WaitStatus
	if _, err := wait(t.pid, &status); err != nil {
		return err
	}
	if err := syscall.PtraceGetRegs(t.pid, &r); err != nil {
		return err
	}
	if int64(r.Rax) != 0 {
		return fmt.Errorf("%w: %w", ErrCannot, syscall.Errno(-int64(r.Rax)))
	}
	return nil
}
