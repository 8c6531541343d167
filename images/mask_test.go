package images

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/npy"
)

// TestOpenMask reads arrays of segments, of whole numbers in either type, and refuses others.
func TestOpenMask(t *testing.T) {
	dir := t.TempDir()
	write := func(shape []int, data ...float32) string {
		t.Helper()
		path := filepath.Join(dir, "m.NPY")
		if err := npy.WriteFile(path, shape, data); err != nil {
			t.Fatal(err)
		}
		return path
	}
	want := []int32{-1, 0, 7, 16711680, -3, 2}
	m, err := OpenMask(write([]int{2, 3}, -1, 0, 7, 16711680, -3, 2))
	if err != nil || m.H != 2 || m.W != 3 || m.Image != nil || !slices.Equal(m.Labels, want) {
		t.Errorf("%+v, %v", m, err)
	}
	path := filepath.Join(dir, "whole.npy")
	if err := npy.WriteFile(path, []int{3, 2}, want); err != nil {
		t.Fatal(err)
	}
	if m, err := OpenMask(path); err != nil || m.H != 3 || m.W != 2 || !slices.Equal(m.Labels, want) {
		t.Errorf("%+v, %v", m, err)
	}
	nan := float32(math.NaN())
	for want, path := range map[string]func() string{
		"m.NPY: row 1, column 0 is 0.5, want whole numbers":   func() string { return write([]int{2, 1}, 1, 0.5) },
		"m.NPY: row 0, column 1 is NaN, want whole numbers":   func() string { return write([]int{1, 2}, 0, nan) },
		"m.NPY: row 0, column 0 is 2.1474836e+09, want whole": func() string { return write([]int{1, 1}, 1<<31) },
		"m.NPY: array is [1 1 1], want [H W]":                 func() string { return write([]int{1, 1, 1}, 1) },
		"m.NPY: array is [0 3], want [H W]":                   func() string { return write([]int{0, 3}) },
		"none.npy":                                            func() string { return filepath.Join(dir, "none.npy") },
		"none.png":                                            func() string { return filepath.Join(dir, "none.png") },
	} {
		if _, err := OpenMask(path()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
