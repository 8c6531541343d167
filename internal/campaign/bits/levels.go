package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deconvnet/viz/internal/kernel"
	"github.com/deconvnet/viz/internal/npy"
)

// tolerance is how far numbers of two levels may be apart, of the largest magnitude of their array: each level is exact
// to 1e-4 where Winograd's algorithm computes, else to 1e-5.
const tolerance = 2e-4

// level is a way to compute.
type level struct {
	name string
	env  []string
	run  []string // what runs the program
}

// levels compares the numbers of all levels with those of the first, the fastest, and the bytes of NEON with AVX2's, which
// it does for all commands.
func levels(dir, viz, arm string, chosen []work) error {
	var list []level
	for _, name := range kernel.Names() {
		list = append(list, level{name: name, env: []string{"VIZ_KERNEL=" + name}})
	}
	list = append(list, level{name: "processor without AVX-512", env: []string{"GODEBUG=cpu.avx512f=off"}},
		level{name: "processor without any", env: []string{"GODEBUG=cpu.all=off"}})
	if arm != "" {
		qemu, err := exec.LookPath("qemu-aarch64-static")
		if err != nil {
			return errors.New("-arm64 needs qemu-aarch64-static")
		}
		// Behind AVX2, whose sums it has.
		at := 1 + slices.IndexFunc(list, func(l level) bool { return l.name == "avx2" })
		list = slices.Insert(list, at, level{name: "neon", run: []string{qemu, arm}})
	}
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(w work) bool { return !w.levels && arm == "" })
	first, avx2 := make([]map[string][]byte, len(chosen)), make([]map[string][]byte, len(chosen))
	failures := 0
	same := "" // what is said of NEON, which has the sums of AVX2
	fmt.Println("| level | commands | files | numbers | largest difference | above " + fmt.Sprint(tolerance) + " | classes that differ |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for k, l := range list {
		d := &distance{}
		files := 0
		for i, w := range chosen {
			if !w.levels && l.name != "avx2" && l.name != "neon" {
				continue
			}
			w.runner = l.run
			got, err := w.run(viz, filepath.Join(dir, fmt.Sprint("level", k, "-", i)), circumstance{env: l.env})
			if err != nil {
				return fmt.Errorf("%s, %s: %w", l.name, w.name, err)
			}
			files += len(got)
			switch l.name {
			case "avx2":
				avx2[i] = got
			case "neon":
				if avx2[i] == nil {
					break
				}
				different := compare(avx2[i], got, map[string]bool{})
				for _, text := range different {
					fmt.Printf("%s: %s\n", w.name, text)
				}
				same += fmt.Sprintf("%s: NEON %d files, AVX2 %d, %d with other bytes\n", w.name, len(got), len(avx2[i]), len(different))
				failures += len(different)
			}
			if k == 0 {
				first[i] = got
			}
			if k == 0 || !w.levels {
				continue
			}
			for name, content := range first[i] {
				d.at = l.name + ", " + w.name + ", " + name
				if err := d.files(dir, name, content, got[name]); err != nil {
					return fmt.Errorf("%s: %w", d.at, err)
				}
			}
		}
		if k > 0 {
			fmt.Printf("| %s | %d | %d | %d | %.1g | %d | %d |\n", l.name, len(chosen), files, d.numbers, d.largest, d.above, d.words)
		}
		failures += d.above + d.words
	}
	fmt.Print(same)
	if failures > 0 {
		return fmt.Errorf("%d numbers or classes differ", failures)
	}
	return nil
}

// distance is how far the results of two levels are apart.
type distance struct {
	at                    string
	numbers, above, words int
	largest               float64
}

func (d *distance) files(dir, name string, a, b []byte) error {
	switch filepath.Ext(name) {
	case ".npy":
		x, err := array(dir, a)
		if err != nil {
			return err
		}
		y, err := array(dir, b)
		if err != nil {
			return err
		}
		if !strings.Contains(name, "switches") { // where a maximum was, among values that may be equal but for last bits
			d.arrays(x, y)
		}
	case ".json", "":
		var x, y any
		if err := json.Unmarshal(a, &x); err != nil {
			return nil // no JSON
		}
		if err := json.Unmarshal(b, &y); err != nil {
			return err
		}
		d.values(x, y)
	}
	return nil
}

func array(dir string, content []byte) ([]float64, error) {
	name := filepath.Join(dir, "array.npy")
	if err := os.WriteFile(name, content, 0o666); err != nil {
		return nil, err
	}
	a, err := npy.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var out []float64
	for _, v := range a.Float32 {
		out = append(out, float64(v))
	}
	for _, v := range a.Int32 {
		out = append(out, float64(v))
	}
	return out, nil
}

// values compares two values of JSON.
func (d *distance) values(a, b any) {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			d.word(a, b)
			return
		}
		for k := range x {
			if k != "macs" { // how many products were made, which each level chooses
				d.values(x[k], y[k])
			}
		}
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			d.word(a, b)
			return
		}
		p, q := numbers(x), numbers(y)
		if len(p) == len(x) && len(q) == len(x) {
			d.arrays(p, q)
			return
		}
		for i := range x {
			d.values(x[i], y[i])
		}
	case float64:
		if y, ok := b.(float64); ok {
			d.arrays([]float64{x, 1}, []float64{y, 1})
			return
		}
		d.word(a, b)
	default:
		if a != b {
			d.word(a, b)
		}
	}
}

func numbers(list []any) (out []float64) {
	for _, v := range list {
		if n, ok := v.(float64); ok {
			out = append(out, n)
		}
	}
	return out
}

func (d *distance) word(a, b any) {
	d.words++
	fmt.Fprintf(os.Stderr, "%s: %.200v, %.200v\n", d.at, a, b)
}

// arrays compares numbers, by the largest of them.
func (d *distance) arrays(a, b []float64) {
	if len(a) != len(b) {
		d.word(len(a), len(b))
		return
	}
	largest, apart := 0.0, 0.0
	for i := range a {
		largest, apart = max(largest, math.Abs(a[i])), max(apart, math.Abs(a[i]-b[i]))
	}
	d.numbers += len(a)
	if apart == 0 {
		return
	}
	apart /= largest
	d.largest = max(d.largest, apart)
	if !(apart <= tolerance) {
		d.above++
		fmt.Fprintf(os.Stderr, "%s: %g of the largest, %g\n", d.at, apart, largest)
	}
}
