package pages

import (
	"syscall"
	"unsafe"
)

const (
	page      = 4 << 10
	largePage = 2 << 20
)

// advise asks for large pages for an array, and for what shares its first and last one, which is the heap's as well. If
// that reaches beyond the heap, nothing is granted, and it asks for what is wholly inside of the array.
func advise(s []float32) {
	at := uintptr(unsafe.Pointer(&s[0]))
	end := at + 4*uintptr(len(s))
	if madvise(at&^(largePage-1), (end+largePage-1)&^(largePage-1)) != 0 {
		madvise((at+page-1)&^(page-1), end&^(page-1))
	}
}

// madvise is a wish: where it is not granted all is the same, but slower.
func madvise(from, to uintptr) syscall.Errno {
	_, _, err := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_HUGEPAGE)
	return err
}
