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
			share, of, err := l.share(core, code)
			if err != nil {
				return fmt.Errorf("%s: %w", l.function, err)
			}
			s := fmt.Sprintf("%.0f %%", 100*share)
			if *all {
				s += " of " + of
			}
			row = append(row, s)
		}
		fmt.Printf("| %s |\n", strings.Join(row, " | "))
	}
	return nil
}

// share is the least number of cycles that the loop needs, of the products alone or of the loads and stores alone, as a
// share of what it takes.
func (l loop) share(core string, code []string) (share float64, of string, err error) {
	var products int
	var memory []string
	for _, s := range code {
		op, _, _ := strings.Cut(s, " ")
		switch {
		case op == "fmla" || op == "fmls":
			products++
		case strings.HasPrefix(op, "ld") || strings.HasPrefix(op, "st"):
			memory = append(memory, s)
		}
	}
	whole, err := cycles(core, code)
	if err != nil {
		return 0, "", err
	}
	// How long a product takes if nothing holds it up.
	var chain []string
	for i := range 24 {
		chain = append(chain, fmt.Sprintf("fmla v%d.4s, v30.4s, v31.4s", i))
	}
	one, err := cycles(core, chain)
	if err != nil {
		return 0, "", err
	}
	fma := float64(products) * one / float64(len(chain))
	if l.limit == products_ {
		return fma / whole, fmt.Sprintf("%.1f (products), %d instructions", whole, len(code)), nil
	}
	mem, err := cycles(core, memory)
	if err != nil {
		return 0, "", err
	}
	return max(fma, mem) / whole, fmt.Sprintf("%.1f (memory %.1f, products %.1f), %d instructions", whole, mem, fma, len(code)), nil
}

var totalCycles = regexp.MustCompile(`Total Cycles:\s+(\d+)`)

// cycles is what llvm-mca says that once through the code takes, of many.
func cycles(core string, code []string) (float64, error) {
	const times = 200
	c := exec.Command(program("llvm-mca"), "-mtriple=aarch64", "-mcpu="+core, "-iterations="+strconv.Itoa(times))
	c.Stdin = strings.NewReader(strings.Join(code, "\n") + "\n")
	out, err := c.CombinedOutput()
	m := totalCycles.FindSubmatch(out)
	if err != nil || m == nil {
		return 0, fmt.Errorf("llvm-mca: %v\n%s", err, out)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	return n / times, err
}

func program(name string) string {
	return filepath.Join(cmp.Or(os.Getenv("LLVM"), "/usr/lib/llvm-19/bin"), name)
}
