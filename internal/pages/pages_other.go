//go:build !linux

package pages

// advise does nothing: other systems do not ask.
func advise(s []float32) {}
