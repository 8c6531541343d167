package pages

import (
	"syscall"
	"unsafe"
)

const (
	page      = 4 << 10
	largePage = 2 << 20
)

// advise asks for large pages for all that an array has a part of. The whole array is in them if what is beside it, up
// to the next 2 MB, is memory of this process too, and only its pages of 4 KB are asked for otherwise, which is of use
// to those in between.
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
