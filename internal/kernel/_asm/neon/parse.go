package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// line is a label, or an instruction of the AVX2 assembly with its operands in Go's order: the destination is last.
type line struct {
	label string
	op    string
	args  []arg
	text  string
}

// arg is an operand: a register, a number, or a place in memory.
type arg struct {
	kind  kind
	reg   int    // of gpr, ymm and xmm
	imm   int64  // of number; the displacement of memory
	base  int    // register of memory, sp or none
	index int    // register of memory, or none
	scale int    // of index
	sym   string // of memory: an argument of the function or a constant, with its offset
}

type kind int

const (
	gpr kind = iota
	ymm
	xmm
	number
	memory
)

const (
	none = -1
	sp   = -2
)

// gprs are the general registers that the assembly uses, in the order of R0 to R14.
var gprs = []string{"AX", "BX", "CX", "DX", "SI", "DI", "BP", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

var (
	dataLine     = regexp.MustCompile(`^DATA (\w+<>)\+\d+\(SB\)/4, \$(\w+)$`)
	functionLine = regexp.MustCompile(`^TEXT ·(\w+)\(SB\), (\S+), \$(\d+)-(\d+)$`)
	memoryText   = regexp.MustCompile(`^(-?\w+)?\((\w+)\)(?:\((\w+)\*(\d)\))?$`)
	symbolText   = regexp.MustCompile(`^\w+(?:<>)?\+\d+\((?:FP|SB)\)$`)
)

func gprNamed(s string) int {
	short := s
	if s == "AL" || s == "BL" || s == "CL" || s == "DL" {
		short = s[:1] + "X"
	}
	for i, n := range gprs {
		if n == short {
			return i
		}
	}
	return none
}

func parseArg(s string) (arg, error) {
	a := arg{base: none, index: none}
	if s[0] == '$' {
		n, err := strconv.ParseInt(s[1:], 0, 64)
		a.kind, a.imm = number, n
		return a, err
	}
	if n, err := strconv.Atoi(s[1:]); err == nil && (s[0] == 'X' || s[0] == 'Y') {
		a.kind, a.reg = xmm, n
		if s[0] == 'Y' {
			a.kind = ymm
		}
		return a, nil
	}
	if r := gprNamed(s); r != none {
		a.kind, a.reg = gpr, r
		return a, nil
	}
	a.kind = memory
	if symbolText.MatchString(s) {
		a.sym = s
		return a, nil
	}
	m := memoryText.FindStringSubmatch(s)
	if m == nil {
		return a, fmt.Errorf("operand %s is unknown", s)
	}
	if m[1] != "" {
		n, err := strconv.ParseInt(m[1], 0, 64)
		if err != nil {
			return a, err
		}
		a.imm = n
	}
	a.base = sp
	if m[2] != "SP" {
		if a.base = gprNamed(m[2]); a.base == none {
			return a, fmt.Errorf("operand %s is unknown", s)
		}
	}
	if m[3] != "" {
		a.index = gprNamed(m[3])
		a.scale, _ = strconv.Atoi(m[4])
	}
	return a, nil
}

func parseLine(text string) (line, error) {
	l := line{text: text}
	if label, ok := strings.CutSuffix(text, ":"); ok && !strings.HasPrefix(text, "\t") {
		l.label = label
		return l, nil
	}
	op, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	l.op = op
	if strings.HasPrefix(op, "J") {
		l.label = strings.TrimSpace(rest)
		return l, nil
	}
	if rest = strings.TrimSpace(rest); rest == "" {
		return l, nil
	}
	for _, s := range strings.Split(rest, ",") {
		a, err := parseArg(strings.TrimSpace(s))
		if err != nil {
			return l, fmt.Errorf("%s: %w", text, err)
		}
		l.args = append(l.args, a)
	}
	return l, nil
}

// file translates all functions and copies the constants.
func (a *asm) file(text string) error {
	lines := strings.Split(text, "\n")
	for _, s := range lines {
		if m := dataLine.FindStringSubmatch(s); m != nil {
			v, err := strconv.ParseUint(m[2], 0, 32)
			if err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
			a.data[m[1]] = append(a.data[m[1]], uint32(v))
		}
	}
	for i := 0; i < len(lines); i++ {
		s := lines[i]
		switch {
		case strings.HasPrefix(s, "DATA "), strings.HasPrefix(s, "GLOBL "):
			fmt.Fprintln(&a.s, rename(s))
		case strings.HasPrefix(s, "TEXT "):
			m := functionLine.FindStringSubmatch(s)
			if m == nil {
				return fmt.Errorf("line %d: %s", i+1, s)
			}
			var body []line
			for i++; i < len(lines) && !strings.HasPrefix(lines[i], "TEXT ") && !strings.HasPrefix(lines[i], "DATA ") && !strings.HasPrefix(lines[i], "GLOBL "); i++ {
				if lines[i] == "" || strings.HasPrefix(lines[i], "//") {
					continue
				}
				l, err := parseLine(lines[i])
				if err != nil {
					return fmt.Errorf("line %d: %w", i+1, err)
				}
				body = append(body, l)
			}
			i--
			if write := hand[m[1]]; write != nil {
				fmt.Fprintf(&a.s, "\nTEXT ·%s(SB), NOSPLIT, $0-%s\n", rename(m[1]), m[4])
				write(a)
				continue
			}
			frame, _ := strconv.Atoi(m[3])
			size := frame
			if slices.ContainsFunc(body, func(l line) bool { return l.op == "VMASKMOVPS" }) {
				size += 32
			}
			fmt.Fprintf(&a.s, "\nTEXT ·%s(SB), %s, $%d-%s\n", rename(m[1]), m[2], size, m[4])
			if err := a.function(m[1], body, frame); err != nil {
				return fmt.Errorf("%s: %w", m[1], err)
			}
		}
	}
	return nil
}
