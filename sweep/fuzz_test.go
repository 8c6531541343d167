package sweep

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/view"
)

// FuzzTrials: lists of trials in YAML or JSON. What is read is read again from JSON, and resolves or says what is wrong.
func FuzzTrials(f *testing.F) {
	for _, text := range []string{
		"trials:\n- {name: a, steps: 10, optimizer: adam, rate: 0.1}\n- {steps: 5, keep: 0.5}\n",
		`{"trials":[{"name":"b","steps":3,"solver":"sgd","width":0.5}]}`,
		"a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\ntrials: *c\n",
		"trials: [{name: \"\\e[31m\\n\", steps: 1e9, width: 0}]", "trials:\n- <<: &x {steps: 1}\n  <<: *x\n", strings.Repeat("[", 300),
	} {
		f.Add([]byte(text))
	}
	hostile.Fuzz(f, func(t testing.TB, text []byte) {
		var list []Trial
		if hostile.ReadWithin(t, len(text), hostile.Memory(len(text))+1000*len(text), func() (err error) {
			list, err = parseTrials(text)
			return imageio.OneLine(err)
		}) != nil {
			return
		}
		rows := make([]map[string]any, len(list))
		for i, trial := range list {
			v := reflect.ValueOf(trial)
			rows[i] = map[string]any{}
			for k := range v.NumField() {
				if name, _, _ := strings.Cut(v.Type().Field(k).Tag.Get("yaml"), ","); !v.Field(k).IsZero() && name != "" {
					rows[i][name] = v.Field(k).Interface()
				}
			}
		}
		text, err := json.Marshal(map[string]any{"trials": rows})
		if err != nil {
			return // numbers that JSON has not
		}
		again, err := parseTrials(text)
		if err != nil || !slices.Equal(again, list) && !strings.ContainsAny(string(text), `\`) {
			t.Fatalf("%+v, written as %s, is %+v, %v", list, text, again, err)
		}
		if err := (Trials{List: list}).Validate(); err != nil {
			hostile.Line(t, imageio.OneLine(err).Error())
		}
	})
}

// FuzzRun: run.json, whose curves and figures are drawn from whatever it says, and what is recorded of a step.
func FuzzRun(f *testing.F) {
	f.Add([]byte(`{"name":"a","initial":"x","parameters":3,"macs":4,"data":"shapes","images":[3,4],"options":{},"points":[{"step":1,"images":10,"test_accuracy":0.5,"test_loss":1.5}],"measured":[10,2],"done":true}`))
	f.Add([]byte(`{"points":[{},{"test_accuracy":1e300}],"measured":[1,-1]}`))
	f.Add([]byte(`{"step":3,"layers":[{"name":"a"}],"filter_shape":[2,1],"filters":[1,2]}`))
	hostile.Fuzz(f, func(t testing.TB, text []byte) {
		hostile.ReadWithin(t, len(text), hostile.Memory(len(text))+100*len(text), func() error {
			_, err := parseMoment(text)
			return imageio.OneLine(err)
		})
		var r *Run
		if hostile.ReadWithin(t, len(text), hostile.Memory(len(text))+100*len(text), func() (err error) {
			r, err = parseRun(text)
			return imageio.OneLine(err)
		}) != nil {
			return
		}
		r.Speed()
		r.Best()
		s := r.series(bySteps, testAccuracy)
		if len(s.X) != len(s.Y) || len(s.X) > len(r.Points) {
			t.Errorf("%d and %d of %d points", len(s.X), len(s.Y), len(r.Points))
		}
		r.Seconds(r.Final())
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseRun(out)
		if err != nil || !reflect.DeepEqual(again, r) && !bytes.Contains(out, []byte("[]")) {
			t.Fatalf("%s is read as %+v, %v", out, again, err)
		}
	})
}

// FuzzLog: of the log of a broken training, the lines up to a step stay as they are, in their order.
func FuzzLog(f *testing.F) {
	f.Add([]byte("{\"step\":1,\"loss\":2}\n{\"step\":9}\n{\"from_step\":5}\nx\n{\"step\":2}"), 5)
	f.Add([]byte("\n\n\r\n{}\n"), 1)
	hostile.Fuzz(f, func(t testing.TB, old []byte, first int) {
		var keep []byte
		hostile.ReadWithin(t, len(old), hostile.Memory(len(old))+100*len(old), func() error { keep = linesBefore(old, first); return nil })
		if again := linesBefore(keep, first); !bytes.Equal(again, keep) {
			t.Fatalf("%q, and then %q", keep, again)
		}
		rest := old
		for line := range bytes.Lines(keep) {
			_, after, found := bytes.Cut(rest, bytes.TrimSuffix(line, []byte("\n")))
			if !found {
				t.Fatalf("%q is not in the order of %q", keep, old)
			}
			rest = after
		}
	})
}

// FuzzFields: settings of comparisons of trainings. What is taken is taken again as it is written.
func FuzzFields(f *testing.F) {
	requests := []func() interface{ Fields() view.Fields }{
		func() interface{ Fields() view.Fields } { return new(Ablation) }, func() interface{ Fields() view.Fields } { return new(RNN) },
		func() interface{ Fields() view.Fields } { return new(Trials) }, func() interface{ Fields() view.Fields } { return new(Probe) },
		func() interface{ Fields() view.Fields } { return new(Transfer) },
	}
	for i, text := range []string{
		"variant=thin: conv1*0.125 -fc1\nplain: |seeds=2|width=0.123456789|steps=9|rate=0.1|batch=7", "cells=lstm,gru|hidden=5,60|cnn=none|epochs=2", "plan=x|rate=1e-300|seed=18446744073709551615",
		"layers=relu1,fc1|l2=1,0.1", "per-class=1,5,all|layers=fc1|variant= : -", "variant=\x1b[31m: *1|width=NaN|keep=-1|seeds=99999999999",
	} {
		f.Add(uint8(i), text)
	}
	for i, r := range requests { // every setting at its default
		var texts []string
		for _, field := range r().Fields() {
			texts = append(texts, field.Name+"="+field.Default)
		}
		f.Add(uint8(i), strings.Join(texts, "|"))
	}
	pointers := regexp.MustCompile(`\b0x[0-9a-f]{6,}\b`)
	hostile.Fuzz(f, func(t testing.TB, which uint8, text string) {
		set := func(texts map[string]string) (fields view.Fields, request string, err error) {
			r := requests[int(which)%len(requests)]()
			fields = r.Fields()
			err = hostile.Read(t, len(text), func() error {
				return imageio.OneLine(fields.Set(nil, func(name string) (string, bool) {
					text, ok := texts[name]
					if i := slices.IndexFunc(fields, func(f view.Field) bool { return f.Name == name }); !ok && i >= 0 {
						return fields[i].Default, fields[i].Default != ""
					}
					return text, ok
				}))
			})
			return fields, pointers.ReplaceAllString(fmt.Sprintf("%+v %q", r, fields.Arguments()), "pointer"), err
		}
		texts := map[string]string{}
		for pair := range strings.SplitSeq(text, "|") {
			name, value, _ := strings.Cut(pair, "=")
			texts[name] = value
		}
		fields, request, err := set(texts)
		if err != nil {
			return
		}
		written := map[string]string{}
		for _, field := range fields.Changed() {
			written[field.Name] = field.Text()
		}
		if _, again, err := set(written); err != nil || again != request {
			t.Fatalf("%q is %s, and written as %q, %s, %v", text, request, written, again, err)
		}
	})
}
