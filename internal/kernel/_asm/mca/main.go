// Command mca prints what models of processors say of the NEON kernels: it builds the tests of package kernel for arm64,
// follows the loops that take most of the time through the program, and puts them through llvm-mca 19. Caches are not
// modelled. Run it in internal/kernel/_asm; LLVM names the directory of LLVM's programs (/usr/lib/llvm-19/bin).
//
//	go run ./mca              # the table of docs/performance.md
//	go run ./mca -v NAME      # the instructions of loops whose name contains NAME
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	only = flag.String("v", "", "print the instructions of the loops whose name contains this")
	all  = flag.Bool("all", false, "say what each share is of")
)

var cores = []string{"neoverse-v1", "neoverse-v2", "neoverse-n1", "ampere1", "cortex-a72"}

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mca:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "mca")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "kernel.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Dir = ".."
	build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	fmt.Printf("| loop | %s |\n| --- |%s\n", strings.Join(cores, " | "), strings.Repeat(" --- |", len(cores)))
	for _, l := range loops {
		if !strings.Contains(l.title, *only) {
			continue
		}
		code, err := l.read(binary)
		if err != nil {
			return fmt.Errorf("%s: %w", l.function, err)
		}
		if *only != "" {
			fmt.Println(strings.Join(code, "\n"))
		}
		row := []string{l.title}
		for _, core := range cores {
			s, err := l.shares(core, code)
			if err != nil {
				return fmt.Errorf("%s: %w", l.function, err)
			}
			text := s.text(l)
			if *all {
				text += fmt.Sprintf(" (%.1f cycles; products %.1f, memory %.1f, arithmetic too %.1f)", s.whole, s.products, s.memory, s.arithmetic)
			}
			row = append(row, text)
		}
		fmt.Printf("| %s |\n", strings.Join(row, " | "))
	}
	return nil
}

// shares are what the loop takes compared with what its products alone, its loads and stores alone, and all of its loads,
// stores and arithmetic need of the pipes, if nothing has to wait for anything.
type shares struct {
	whole                        float64
	products, memory, arithmetic float64
}

// arithmetic are the instructions that a loop is there for, by their beginnings: sums, products, comparisons, choices and
// maxima. Addresses, counters, moves, and what moves floats between lanes don't count.
var arithmetic = []string{"fadd", "fsub", "fmul", "fmla", "fmls", "fmax", "fmin", "fdiv", "fsqrt", "fcm", "umax", "cm", "bit", "bif", "bsl"}

func (l loop) shares(core string, code []string) (shares, error) {
	var s shares
	var products int
	var memory, needed []string
	for _, c := range code {
		op, _, _ := strings.Cut(c, " ")
		if op == "fmla" || op == "fmls" {
			products++
		}
		isMemory := strings.HasPrefix(op, "ld") || strings.HasPrefix(op, "st")
		if isMemory {
			memory = append(memory, c)
		}
		if isMemory || strings.Contains(c, " v") && slices.ContainsFunc(arithmetic, func(a string) bool { return strings.HasPrefix(op, a) }) {
			needed = append(needed, c)
		}
	}
	var err error
	if s.whole, _, err = cycles(core, code); err != nil {
		return s, err
	}
	// How long a product takes if nothing holds it up.
	var chain []string
	for i := range 24 {
		chain = append(chain, fmt.Sprintf("fmla v%d.4s, v30.4s, v31.4s", i))
	}
	one, _, err := cycles(core, chain)
	if err != nil {
		return s, err
	}
	s.products = float64(products) * one / float64(len(chain))
	if l.limit == products_ {
		return s, nil
	}
	if s.memory, _, err = cycles(core, memory); err != nil {
		return s, err
	}
	_, s.arithmetic, err = cycles(core, needed)
	s.arithmetic = max(s.arithmetic, s.products, s.memory)
	return s, err
}

// text is a cell of the table.
func (s shares) text(l loop) string {
	percent := func(f float64) string { return fmt.Sprintf("%.0f %%", 100*min(1, f/s.whole)) }
	if l.limit == products_ {
		return percent(s.products)
	}
	return percent(max(s.memory, s.products)) + ", " + percent(s.arithmetic)
}

var (
	totalCycles = regexp.MustCompile(`Total Cycles:\s+(\d+)`)
	throughput  = regexp.MustCompile(`Block RThroughput:\s+([\d.]+)`)
)

// cycles is what llvm-mca says that once through the code takes, of many, and what the pipes alone would take.
func cycles(core string, code []string) (all, pipes float64, err error) {
	const times = 200
	c := exec.Command(program("llvm-mca"), "-mtriple=aarch64", "-mcpu="+core, "-iterations="+strconv.Itoa(times))
	c.Stdin = strings.NewReader(strings.Join(code, "\n") + "\n")
	out, err := c.CombinedOutput()
	m, p := totalCycles.FindSubmatch(out), throughput.FindSubmatch(out)
	if err != nil || m == nil || p == nil {
		return 0, 0, fmt.Errorf("llvm-mca: %v\n%s", err, out)
	}
	if all, err = strconv.ParseFloat(string(m[1]), 64); err != nil {
		return 0, 0, err
	}
	pipes, err = strconv.ParseFloat(string(p[1]), 64)
	return all / times, pipes, err
}

func program(name string) string {
	return filepath.Join(cmp.Or(os.Getenv("LLVM"), "/usr/lib/llvm-19/bin"), name)
}
