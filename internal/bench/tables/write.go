package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// names are those of networks and programs in the tables.
var names = strings.NewReplacer("squeezenet1_1", "SqueezeNet 1.1", "alexnet", "AlexNet", "zfnet", "ZFNet", "vgg16", "VGG16",
	"resnet18", "ResNet18", "googlenet", "GoogLeNet", "resnet50", "ResNet50", "mobilenet_v2", "MobileNetV2",
	"mobilenet_v3", "MobileNetV3 large", "efficientnet_b0", "EfficientNet-B0", "convnext_tiny", "ConvNeXt-T", "vit_b_16", "ViT-B/16",
	"viz@avx512", "viz, AVX-512", "viz@avx2", "viz, AVX2", "ort", "ONNX Runtime", "torch@avx2", "PyTorch, AVX2", "torch", "PyTorch")

// programs are the columns, in order.
var programs = []string{"viz@avx512", "viz@avx2", "ort", "torch", "torch@avx2"}

// read gives the results of a file by work and program; a later line is a newer measurement.
func read(file string) (map[string]map[string]Line, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all := map[string]map[string]Line{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		var l Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", file, n, err)
		}
		if all[l.Work] == nil {
			all[l.Work] = map[string]Line{}
		}
		all[l.Work][l.By] = l
	}
	return all, lines.Err()
}

// write puts the tables between their marks in the document.
func (o options) write() error {
	results, err := read(o.lines)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(o.docs)
	if err != nil {
		return err
	}
	doc := string(text)
	for _, task := range []string{"forward", "occlude", "deconv", "topk"} {
		begin, end := "<!-- bench "+task+" -->\n", "<!-- end -->"
		from := strings.Index(doc, begin)
		if from < 0 {
			return fmt.Errorf("%s: no line %q", o.docs, strings.TrimSpace(begin))
		}
		from += len(begin)
		to := strings.Index(doc[from:], end)
		if to < 0 {
			return fmt.Errorf("%s: no line %q after %q", o.docs, end, strings.TrimSpace(begin))
		}
		doc = doc[:from] + "\n" + table(task, results) + "\n" + doc[from+to:]
	}
	return os.WriteFile(o.docs, []byte(doc), 0o666)
}

// table is the table of a task: a row for each work measured, milliseconds or seconds by program, and for each level of
// viz the time of the fastest peer over ours. A sentence stands for a table without rows.
func table(task string, results map[string]map[string]Line) string {
	var columns []string
	var rows []Work
	for _, w := range works() {
		if w.Task != task || results[w.Name()] == nil {
			continue
		}
		rows = append(rows, w)
		for by := range results[w.Name()] {
			if !slices.Contains(columns, by) {
				columns = append(columns, by)
			}
		}
	}
	if len(rows) == 0 {
		return "Not measured yet.\n"
	}
	columns = slices.DeleteFunc(slices.Clone(programs), func(by string) bool { return !slices.Contains(columns, by) })
	head, rule := "| network |", "| --- |"
	add := func(title string) { head += " " + title + " |"; rule += " --- |" }
	switch task {
	case "forward":
		add("batch")
	case "deconv", "topk":
		add("layer")
	}
	for _, by := range columns {
		add(names.Replace(by))
	}
	add("ratio AVX-512")
	add("ratio AVX2")
	out := head + "\n" + rule + "\n"
	for _, w := range rows {
		out += row(w, columns, results[w.Name()])
	}
	return out
}

func row(w Work, columns []string, lines map[string]Line) string {
	out := "| " + names.Replace(w.Model) + " |"
	switch w.Task {
	case "forward":
		out += fmt.Sprintf(" %d |", w.Batch)
	case "deconv", "topk":
		out += " " + w.Layer + " |"
	}
	for _, by := range columns {
		l, ok := lines[by]
		switch {
		case !ok:
			out += " |"
		case w.Task == "occlude":
			out += fmt.Sprintf(" %.3g |", l.seconds())
		default:
			out += " " + milliseconds(l.seconds()) + " |"
		}
	}
	for i, level := range []string{"avx512", "avx2"} {
		out += " " + ratio(w, lines, level, w.Floor[i]) + " |"
	}
	return out + "\n"
}

func milliseconds(s float64) string {
	if s < 0.1 {
		return fmt.Sprintf("%.3g", s*1e3)
	}
	return fmt.Sprintf("%.0f", s*1e3)
}

// ratio is the time of the fastest peer over that of viz at a level, in bold if it is less than the floor.
func ratio(w Work, lines map[string]Line, level string, floor float64) string {
	ours, ok := lines["viz@"+level]
	best := math.Inf(1)
	for by, l := range lines {
		if _, at, some := strings.Cut(by, "@"); !strings.HasPrefix(by, "viz@") && (!some || at == level) {
			best = min(best, l.seconds())
		}
	}
	if !ok || math.IsInf(best, 1) {
		return ""
	}
	text := fmt.Sprintf("%.2f", best/ours.seconds()) + differs(w, lines)
	if best/ours.seconds() < floor {
		text = "**" + text + "**"
	}
	return text
}

// differs marks a row of programs that did not compute the same: their checksums are apart by more than rounding. Sums
// of occlusion maps are over the positions that each program was timed on, and are not compared.
func differs(w Work, lines map[string]Line) string {
	least, most := math.Inf(1), 0.0
	for _, l := range lines {
		least, most = min(least, l.Checksum), max(most, l.Checksum)
	}
	if w.Task == "occlude" || most-least <= 1e-3*most {
		return ""
	}
	return "†"
}
