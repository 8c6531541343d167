// Package pages makes large arrays that the system holds in large pages where it can.
//
// A processor keeps the addresses of a few thousand pages, and fetches ahead within one. In pages of 2 MB weights and
// maps are read 5 to 15 percent faster than in those of 4 KB.
package pages

// least is the length from which on an array is worth a system call.
const least = 128 << 10

// Floats is make([]float32, n).
func Floats(n int) []float32 {
	s := make([]float32, n)
	if n >= least {
		advise(s)
	}
	return s
}
