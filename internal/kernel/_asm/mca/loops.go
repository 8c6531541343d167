package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// loop is one to be modelled: the instructions from a label on until there is a jump back to it. Conditional jumps are
// not taken, but for those to the labels in taken.
type loop struct {
	title, function, label string
	limit                  limit
	taken                  []string
}

// limit says what bounds a loop.
type limit int

const (
	products_ limit = iota // multiply-adds a cycle
	memory                 // loads and stores, or multiply-adds if these need longer
)

var loops = []loop{
	{"tile, 6 rows x 16", "tile_neon_6x16", "loop", products_, nil},
	{"tile, 5 rows x 16", "tile_neon_5x16", "loop", products_, nil},
	{"tile, 4 rows x 16", "tile_neon_4x16", "loop", products_, nil},
	{"tile, 6 rows x 8", "tile_neon_6x8", "loop", products_, nil},
	{"weight gradient, 6 rows x 16", "wtile_neon_6x16", "pair", products_, nil},
	{"dot products, 2 x 4", "dot_neon_2x4", "loop", products_, nil},
	{"direct, 6 rows x 16", "direct_neon_6x16", "pair", products_, nil},
	{"direct, 5 rows x 16", "direct_neon_5x16", "pair", products_, nil},
	{"direct, 4 rows x 16", "direct_neon_4x16", "pair", products_, nil},
	{"depthwise 3x3, stride 1", "planeConv3x3s1_neon", "two_block", memory, nil},
	{"depthwise 5x5, stride 1", "planeConv5x5s1_neon", "two_block", memory, nil},
	{"depthwise 7x7, stride 1", "planeConv7x7s1_neon", "two_block", memory, nil},
	{"depthwise 3x3, stride 2", "planeConv3x3s2_neon", "two_block", memory, nil},
	{"depthwise 5x5, stride 2", "planeConv5x5s2_neon", "two_block", memory, nil},
	{"Winograd in, 6x6", "winogradIn6_neon", "channel", memory, nil},
	{"Winograd in, 4x4", "winogradIn4_neon", "channel", memory, nil},
	{"Winograd out, 6x6 to 4x4", "winogradOut6x4_neon", "half", memory, nil},
	{"Winograd out, 6x6 to 2x2", "winogradOut6x2_neon", "half", memory, nil},
	{"Winograd out, 4x4 to 2x2", "winogradOut4x2_neon", "half", memory, nil},
	{"max pool 2x2", "maxPool2Values_neon", "loop", memory, nil},
	{"max pool 2x2 with switches", "maxPool2Switches_neon", "loop", memory, nil},
	{"max pool 3x3, stride 1", "maxPool3Values1_neon", "loop", memory, nil},
	{"max pool 3x3, stride 2", "maxPool3Values2_neon", "loop", memory, nil},
	{"max pool 3x3, stride 2, with switches", "maxPool3Switches2_neon", "loop", memory, nil},
	{"max of three rows (lanes)", "laneMax3_neon", "loop", memory, nil},
	{"rectifier", "relu_neon", "loop", memory, nil},
	{"sum of two", "add_neon", "loop", memory, nil},
	{"rectified sum of two", "addReLU_neon", "loop", memory, nil},
	{"gradient of the rectifier", "reluGrad_neon", "loop", memory, nil},
	{"scale and shift", "scaleShift_neon", "loop", memory, nil},
	{"rows, product of two", "mulRows_neon", "loop", memory, nil},
	{"sum", "sum_neon", "loop", memory, nil},
	{"packing of runs", "packRun_neon", "panel", memory, nil},
	{"packing, one segment", "pack_neon", "pair1", memory, nil},
}

var (
	goLine   = regexp.MustCompile(`^\s+(\w+\.s):(\d+)\s+0x([0-9a-f]+)\s`)
	llvmLine = regexp.MustCompile(`^\s*([0-9a-f]+):\s+(.*)`)
	textLine = regexp.MustCompile(`^TEXT ·(\w+)\(`)
	jump     = regexp.MustCompile(`^(b|b\.\w+|tbn?z|cbn?z)\s+(?:.*,\s*)?0x([0-9a-f]+)$`)
)

// instruction is one of the program, and the labels before it.
type instruction struct {
	addr   int64
	text   string
	labels []string
}

// read is the instructions of the loop.
func (l loop) read(binary string) ([]string, error) {
	code, err := disassemble(binary, l.function)
	if err != nil {
		return nil, err
	}
	start := slices.IndexFunc(code, func(i instruction) bool { return slices.Contains(i.labels, l.label) })
	if start < 0 {
		return nil, fmt.Errorf("no label %s", l.label)
	}
	var out []string
	for at := start; at < len(code) && len(out) < 10000; at++ {
		m := jump.FindStringSubmatch(code[at].text)
		if m == nil {
			if code[at].text == "ret" {
				break
			}
			out = append(out, code[at].text)
			continue
		}
		to, _ := strconv.ParseInt(m[2], 16, 64)
		target := slices.IndexFunc(code, func(i instruction) bool { return i.addr == to })
		if target < 0 {
			return nil, fmt.Errorf("%s leads nowhere", code[at].text)
		}
		out = append(out, strings.Replace(code[at].text, "0x"+m[2], "#16", 1))
		if target == start {
			return out, nil
		}
		if m[1] == "b" || slices.ContainsFunc(code[target].labels, func(s string) bool { return slices.Contains(l.taken, s) }) {
			at = target - 1
		}
	}
	return nil, fmt.Errorf("%s is not a loop", l.label)
}

// disassemble reads a function, with the labels of its source.
func disassemble(binary, function string) ([]instruction, error) {
	text, err := exec.Command("go", "tool", "objdump", "-s", `kernel\.`+function+`(\.abi0)?$`, binary).Output()
	if err != nil {
		return nil, err
	}
	lines := map[int64]int{}
	file := ""
	for s := range strings.SplitSeq(string(text), "\n") {
		if m := goLine.FindStringSubmatch(s); m != nil {
			addr, _ := strconv.ParseInt(m[3], 16, 64)
			file = m[1]
			lines[addr], _ = strconv.Atoi(m[2])
		}
	}
	source, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		return nil, err
	}
	labels := labelsOf(string(source), function)
	text, err = exec.Command(program("llvm-objdump"), "-d", "--no-show-raw-insn", binary, "--disassemble-symbols=github.com/deconvnet/viz/internal/kernel."+function+".abi0").Output()
	if err != nil {
		return nil, err
	}
	var code []instruction
	done := 0
	for s := range strings.SplitSeq(string(text), "\n") {
		m := llvmLine.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		addr, _ := strconv.ParseInt(m[1], 16, 64)
		s, _, _ = strings.Cut(m[2], "//")
		s, _, _ = strings.Cut(s, "<")
		i := instruction{addr: addr, text: strings.Join(strings.Fields(s), " ")}
		for done < len(labels) && labels[done].line < lines[addr] {
			i.labels = append(i.labels, labels[done].name)
			done++
		}
		code = append(code, i)
	}
	return code, nil
}

type label struct {
	name string
	line int
}

// labelsOf finds the labels of a function in its source.
func labelsOf(source, function string) []label {
	var out []label
	inside := false
	for i, s := range strings.Split(source, "\n") {
		if m := textLine.FindStringSubmatch(s); m != nil {
			inside = m[1] == function
		}
		if name, ok := strings.CutSuffix(s, ":"); ok && inside && !strings.HasPrefix(s, "\t") {
			out = append(out, label{name, i + 1})
		}
	}
	return out
}
