package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/deconvnet/viz/cmd/viz-beam/internal/job"
	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/view"
)

const shared = cmdline.Model | cmdline.Workers | cmdline.Pictures | cmdline.To | cmdline.Force

func featuresCommand() cmdline.Command {
	l := &leader{kind: job.Features, claim: claimIndex}
	r := &view.Scan{}
	for _, f := range r.Fields() {
		if f.Name != "shard" { // units are shards
			l.request = append(l.request, f)
		}
	}
	return cmdline.Command{
		Name: "features", Usage: "make the index that viz features makes", Args: "[IMG...]",
		About:    "The index is that of viz features byte for byte, whatever the number of workers and however often they fail.",
		Examples: []string{"viz-beam features --model net.onnx photos/", "viz-beam features --processes 2 --workers 1 photos/", "viz-beam features --work s3://bucket/work --runner flink --endpoint jobs:8099 s3://bucket/photos/"},
		Flags:    shared,
		Change:   view.Fields{{Name: "out", Default: cmdline.IndexName, Usage: "index `FILE`"}},
		Fields:   append(l.request, l.fields()...),
		Do: func(c *cmdline.Run) error {
			if err := c.OutFile(c.Out, "--out"); err != nil {
				return err
			}
			return l.run(c, func(*view.Session) error { return r.Validate() }, func(s *view.Session, lead *job.Lead) (*left, error) { return writeIndex(c, lead) })
		},
	}
}

// claimIndex refuses to write over what is no index of the job's pictures and network, unless --force is given.
func claimIndex(c *cmdline.Run, s *view.Session, j *job.Job) error {
	old, err := cmdline.ReadIndex(c.Out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return c.Claimed(c.Out, "is no index", false)
	case old.Model != s.Hash() || old.Source.Names != j.Names:
		return c.Claimed(c.Out, "is an index of other images or of another network", false)
	}
	return nil
}

// claimTable refuses to write over what is no table, unless --force is given.
func claimTable(c *cmdline.Run, _ *view.Session, _ *job.Job) error {
	f, err := os.Open(c.Out)
	if err != nil {
		return nil // not there, as a rule
	}
	defer f.Close()
	start := make([]byte, 5)
	if n, _ := io.ReadFull(f, start); n == 0 || bytes.HasPrefix(start, []byte("[\n  {")) {
		return nil
	}
	return c.Claimed(c.Out, "is no table of viz", false)
}

// writeIndex writes the index of a job, and names the pictures that it lacks.
func writeIndex(c *cmdline.Run, lead *job.Lead) (*left, error) {
	x, err := lead.Index(c.Context)
	if err != nil {
		return nil, err
	}
	if err := cmdline.WriteIndex(c.Out, x); err != nil {
		return nil, err
	}
	c.Wrote(c.Out)
	bad := &left{c: c, total: x.Images}
	for _, skip := range x.Skipped {
		bad.add(skip.Error)
	}
	return bad, nil
}

// tableCommand is a command whose table is what viz NAME --json prints.
func tableCommand(kind job.Kind, usage string, fields view.Fields, flags cmdline.Flags, check func(*view.Session) error) cmdline.Command {
	l := &leader{kind: kind, request: fields, claim: claimTable}
	return cmdline.Command{
		Name: string(kind), Usage: usage, Args: "IMG...",
		About:    "The file is what viz " + string(kind) + " --json prints.",
		Examples: []string{"viz-beam " + string(kind) + " --model net.onnx photos/"},
		Flags:    shared | flags,
		Change:   view.Fields{{Name: "out", Default: "viz-" + string(kind) + ".json", Usage: "JSON `FILE`"}},
		Fields:   append(fields, l.fields()...),
		Do: func(c *cmdline.Run) error {
			if err := c.OutFile(c.Out, "--out"); err != nil {
				return err
			}
			return l.run(c, check, func(s *view.Session, lead *job.Lead) (*left, error) { return writeTable(c, lead) })
		},
	}
}

// writeTable writes all values of a job's records as one JSON array, as viz does.
func writeTable(c *cmdline.Run, lead *job.Lead) (*left, error) {
	bad := &left{c: c, total: lead.Job.Pictures}
	err := imageio.WriteFile(c.Out, func(to io.Writer) error {
		w := bufio.NewWriter(to)
		sep := "[\n  "
		var text bytes.Buffer
		err := lead.Records(c.Context, func(r job.Record) error {
			if r.Error != "" {
				bad.add(r.Error)
			}
			for _, v := range r.Values {
				text.Reset()
				if err := json.Indent(&text, v, "  ", "  "); err != nil {
					return err
				}
				w.WriteString(sep)
				w.Write(text.Bytes())
				sep = ",\n  "
			}
			return nil
		})
		if err != nil {
			return err
		}
		if sep[0] == '[' {
			return bad.err() // nothing to write
		}
		w.WriteString("\n]\n")
		return w.Flush()
	})
	if err != nil {
		return nil, err
	}
	c.Wrote(c.Out)
	return bad, nil
}

func classifyCommand() cmdline.Command {
	r := &view.Classify{}
	return tableCommand(job.Classify, "name the most probable classes of images", r.Fields(), cmdline.ByNumber, func(s *view.Session) error {
		_, err := s.Classifier(*r)
		return err
	})
}

func occludeCommand() cmdline.Command {
	r := &view.Occlusion{}
	return tableCommand(job.Occlude, "map how the probability changes under a patch", r.Fields(), 0, func(s *view.Session) error { return r.Validate(s.Net) })
}

func attributeCommand() cmdline.Command {
	r := &view.Attribution{}
	return tableCommand(job.Attribute, "measure which pixels and regions a score depends on", r.Fields(), 0, func(*view.Session) error { return r.Validate() })
}

func faithfulCommand() cmdline.Command {
	r := &view.Faithful{}
	l := &leader{kind: job.Faithful, request: r.Fields()}
	return cmdline.Command{
		Name: "faithful", Usage: "measure which attribution methods can be believed on a network", Args: "[IMG...]",
		About:    "The files are those of viz faithful; the seconds of methods are those of the workers.",
		Examples: []string{"viz-beam faithful --method gradcam,ig photos/"},
		Flags:    shared | cmdline.JSON,
		Change:   view.Fields{{Name: "out", Default: "viz-faithful", Usage: "folder of results"}},
		Fields:   append(l.request, l.fields()...),
		Do: func(c *cmdline.Run) error {
			return l.run(c, func(*view.Session) error { return r.Validate() }, func(s *view.Session, lead *job.Lead) (*left, error) { return writeFaithful(c, *r, s, lead) })
		},
	}
}

// writeFaithful puts the records together as viz faithful does, and writes what it writes.
func writeFaithful(c *cmdline.Run, r view.Faithful, s *view.Session, lead *job.Lead) (*left, error) {
	run, err := s.FaithfulRun(r)
	if err != nil {
		return nil, cmdline.RequestErr(err)
	}
	bad := &left{c: c, total: lead.Job.Pictures}
	err = lead.Records(c.Context, func(one job.Record) error {
		if one.Error != "" {
			bad.add(one.Error)
			return nil
		}
		var v view.FaithfulOne
		if len(one.Values) != 1 {
			return fmt.Errorf("%s: %d values, want 1", one.Name, len(one.Values))
		}
		if err := json.Unmarshal(one.Values[0], &v); err != nil {
			return err
		}
		return run.Add(v)
	})
	if err != nil {
		return nil, err
	}
	n, err := run.Numbers()
	if err != nil {
		return nil, cmdline.RequestErr(err)
	}
	out, err := c.OpenOutput(s)
	if err != nil {
		return nil, err
	}
	if err := (&cmdline.Work{Run: c, Session: s, Out: out}).Report(cmdline.Measured{Figure: s.FaithfulFigure(n), Table: n.Table(), Text: n.Text()}, &cmdline.Failures{}); err != nil {
		return nil, err
	}
	return bad, nil
}
