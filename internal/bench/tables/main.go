// Command tables times viz beside other programs, in turn, and writes the tables of docs/performance.md.
//
//	go run ./internal/bench/tables -nets DIR -peer 'NAME=COMMAND' -only 'forward .*vgg16' measure >> docs/results/bench.jsonl
//	go run ./internal/bench/tables write
//
// DIR has the networks, exported to ONNX. A peer is another program that prints a JSON line as viz bench does; in its
// COMMAND {task}, {model}, {layer}, {batch} and {threads} stand for what is measured, and {nets} for DIR. A NAME
// that ends in @avx2 is compared with viz at that level only; ort:forward,occlude is a peer, ort, for these tasks only.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Line is a result: what a program printed, and which it was.
type Line struct {
	By       string         `json:"by"` // viz@avx512, ort, torch@avx2
	Machine  string         `json:"machine"`
	Peer     string         `json:"peer"`
	Work     string         `json:"work"`
	Params   map[string]any `json:"params"`
	Threads  int            `json:"threads"`
	Median   float64        `json:"median_s"`
	Min      float64        `json:"min_s"`
	Checksum float64        `json:"checksum"`
}

// seconds is how long the whole of the work takes: occlusion may have been timed on some positions only.
func (l Line) seconds() float64 {
	if full, ok := l.Params["full_s"].(float64); ok {
		return full
	}
	return l.Median
}

// peers are the programs beside viz, by name.
type peers []struct{ name, tasks, command string }

func (p *peers) String() string { return "" }

func (p *peers) Set(s string) error {
	name, command, ok := strings.Cut(s, "=")
	if !ok || name == "" || command == "" {
		return fmt.Errorf("%q is not NAME=COMMAND", s)
	}
	name, tasks, _ := strings.Cut(name, ":")
	*p = append(*p, struct{ name, tasks, command string }{name, tasks, command})
	return nil
}

// options are the flags.
type options struct {
	viz, nets, only, machine, docs, lines string
	levels                                string
	rounds, threads                       int
	budget                                float64
	peers                                 peers
}

func main() {
	var o options
	flag.StringVar(&o.viz, "viz", "viz", "the `PROGRAM` viz")
	flag.StringVar(&o.nets, "nets", "", "`DIR` of the networks")
	flag.StringVar(&o.only, "only", "", "only works whose name, as \"forward vgg16 batch 8\", has a match of `REGEXP`")
	flag.StringVar(&o.machine, "machine", "", "what to call this machine")
	flag.StringVar(&o.levels, "levels", "avx512,avx2", "levels of viz to measure")
	flag.StringVar(&o.docs, "docs", "docs/performance.md", "the `FILE` that write puts the tables into")
	flag.StringVar(&o.lines, "lines", "docs/results/bench.jsonl", "the `FILE` of results that write reads")
	flag.IntVar(&o.rounds, "rounds", 2, "times that each program is run, in turn")
	flag.IntVar(&o.threads, "threads", runtime.NumCPU(), "threads of each program")
	flag.Float64Var(&o.budget, "budget", 2, "`SECONDS` that viz measures for")
	flag.Var(&o.peers, "peer", "`NAME=COMMAND` of a program beside viz; may be repeated")
	flag.Parse()
	var err error
	switch flag.Arg(0) {
	case "measure":
		err = o.measure(os.Stdout)
	case "write":
		err = o.write()
	default:
		err = fmt.Errorf("%q: not measure or write", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

// measure runs every program on every work, in turn, and prints a line for each: its fastest round.
func (o options) measure(w io.Writer) error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	for _, work := range works() {
		if _, err := os.Stat(filepath.Join(o.nets, work.Model+".onnx")); err != nil || !only.MatchString(work.Name()) {
			continue
		}
		if err := o.rows(w, work); err != nil {
			return err
		}
	}
	return nil
}

func (o options) rows(w io.Writer, work Work) error {
	type program struct {
		by   string
		args []string
	}
	var programs []program
	for _, level := range strings.Split(o.levels, ",") {
		args := append([]string{o.viz}, work.viz(filepath.Join(o.nets, work.Model+".onnx"))...)
		args = append(args, "--threads", strconv.Itoa(o.threads), "--budget", fmt.Sprint(o.budget), "--level", level)
		programs = append(programs, program{"viz@" + level, args})
	}
	for _, p := range o.peers {
		if p.tasks != "" && !slices.Contains(strings.Split(p.tasks, ","), work.Task) {
			continue
		}
		args := strings.Fields(strings.NewReplacer("{task}", work.Task, "{model}", work.Model, "{layer}", work.Layer,
			"{batch}", strconv.Itoa(max(work.Batch, 1)), "{threads}", strconv.Itoa(o.threads), "{nets}", o.nets).Replace(p.command))
		programs = append(programs, program{p.name, append(args, work.peer...)})
	}
	best := map[string]Line{}
	for range o.rounds {
		for _, p := range programs {
			line, err := run(p.args)
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s by %s: %v\n", work.Name(), p.by, err)
				continue
			}
			line.By, line.Machine, line.Work = p.by, o.machine, work.Name()
			if b, ok := best[p.by]; !ok || line.seconds() < b.seconds() {
				best[p.by] = line
			}
		}
	}
	for _, p := range programs {
		line, ok := best[p.by]
		if !ok {
			continue
		}
		for k := range line.Params {
			if k != "full_s" && k != "batch" && k != "way" && k != "measured" {
				delete(line.Params, k)
			}
		}
		text, err := json.Marshal(line)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s\n", text); err != nil {
			return err
		}
	}
	return nil
}

// run is the last line that a program prints.
func run(args []string) (Line, error) {
	var out, problems bytes.Buffer
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Run(); err != nil {
		return Line{}, fmt.Errorf("%w: %s", err, bytes.TrimSpace(problems.Bytes()))
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	var l Line
	if err := json.Unmarshal(lines[len(lines)-1], &l); err != nil {
		return Line{}, err
	}
	return l, nil
}
