package sweep

import (
	"reflect"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/train"
	"github.com/deconvnet/viz/view"
)

// TestFields sets every setting of every request, reads the texts back, and starts from defaults that change nothing.
func TestFields(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	var options [2]train.Options
	for _, c := range []struct {
		name   string
		fields [2]view.Fields
		texts  string
	}{
		{"ablation", [2]view.Fields{new(Ablation).Fields(), new(Ablation).Fields()}, "arch=lenet5 width=0.1 seeds=2 evals=4 keep=0.5 optimizer=sgd rate=0.1 schedule=step batch=7 steps=9"},
		{"rnn", [2]view.Fields{new(RNN).Fields(), new(RNN).Fields()}, "cells=gru,rnn hidden=5,6 cnn=none cnn-rate=0.2 steps-only=true evals=3 keep=0.9 seed=4 optimizer=sgd rate=0.1 schedule=step batch=7 steps=9"},
		{"trials", [2]view.Fields{new(Trials).Fields(), new(Trials).Fields()}, "only=a,b evals=3 shorten=0.5 standardize=true"},
		{"probe", [2]view.Fields{new(Probe).Fields(), new(Probe).Fields()}, "layers=relu1,fc1 per-class=3 test-per-class=4 folds=2 classifiers=svm most=9 seed=7"},
		{"transfer", [2]view.Fields{new(Transfer).Fields(), new(Transfer).Fields()},
			"layer=relu1 per-class=3,9 test-per-class=4 folds=2 classifier=svm no-scratch=true scratch-steps=5 scratch-rate=0.1 scratch-batch=6 seed=7 exclude-above=0.5"},
		{"training", [2]view.Fields{OptionFields(&options[0]), OptionFields(&options[1])},
			"optimizer=rmsprop rate=0.5 momentum=0.1 beta1=0.2 beta2=0.3 decay=0.4 epsilon=0.6 batch=3 steps=4 epochs=5 seed=6 weight-decay=0.7 label-smoothing=0.8 schedule=cosine " +
				"drop-every=7 drop-factor=0.9 warmup=8 max-filter-rms=1.5 balance=true flip=true crop=2 eval-every=-1 eval-train=-1 checkpoint-every=9"},
	} {
		texts := map[string]string{}
		for pair := range strings.FieldsSeq(c.texts) {
			name, text, _ := strings.Cut(pair, "=")
			texts[name] = text
		}
		var again []string
		for i, fields := range c.fields {
			for _, f := range fields {
				if f.Default != "" && !f.Network {
					if err := f.Set(nil, f.Default); err != nil {
						t.Errorf("%s: default of %s: %v", c.name, f.Name, err)
					}
				}
			}
			if changed := fields.Changed(); len(changed) > 0 {
				t.Errorf("%s: %s is %q, its default is %q", c.name, changed[0].Name, changed[0].Text(), changed[0].Default)
			}
			get := func(name string) (string, bool) { text, ok := texts[name]; return text, ok }
			if i == 1 { // from the arguments of the first
				get = func(name string) (string, bool) {
					for k, arg := range again {
						if value, ok := strings.CutPrefix(arg, "--"+name+"="); ok {
							return value, true
						}
						if arg == "--"+name {
							if fields.Named(name).Switch {
								return "true", true
							}
							return again[k+1], true
						}
					}
					return "", false
				}
			}
			if err := fields.Set(net, get); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			for _, f := range fields {
				if want, ok := texts[f.Name]; ok && f.Text() != want {
					t.Errorf("%s: %s is %q, set was %q", c.name, f.Name, f.Text(), want)
				} else if !ok && f.Name != "variant" {
					t.Errorf("%s: field %s is not tried", c.name, f.Name)
				}
			}
			again = fields.Arguments()
		}
	}
	if !reflect.DeepEqual(options[0], options[1]) {
		t.Errorf("the arguments of %+v make %+v", options[0], options[1])
	}
}

// TestVariantField: variants are lines, and read back.
func TestVariantField(t *testing.T) {
	var r Ablation
	f := r.Fields().Named("variant")
	const text = "thin: -fc1 conv1*0.5\nwide: conv1*2"
	if err := f.Set(nil, text); err != nil || f.Text() != text || len(r.Variants) != 2 {
		t.Errorf("%q, %v", f.Text(), err)
	}
	if err := f.Set(nil, "no colon"); err == nil {
		t.Error("a variant without a name is taken")
	}
}
