package view

import (
	"reflect"
	"strings"
	"testing"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/model/builtin"
)

// request is a request with fields.
type request interface{ Fields() Fields }

// requests lists every request that has fields, with a text for each field that is not its default, as it is
// written back. Fields that exclude each other are in several.
func requests() []struct {
	name  string
	new   func() request
	texts string
} {
	return []struct {
		name  string
		new   func() request
		texts string
	}{
		{"Occlusion", func() request { return new(Occlusion) },
			"patch=8,4x6 stride=2 position=3,4 edge=cover fill=noise:7 soft=1 class=3,1 layer=relu1,relu2 method=box scale=0.5 opacity=0.3 batch=4"},
		{"Occlusion at", func() request { return new(Occlusion) }, "fill=input:0,-1,1.5 at=2,3 paper=true scale=series"},
		{"GradCAM", func() request { return new(GradCAM) }, "layer=relu1 class=2 at=0,1 tokens=14x7 cmap=jet opacity=1"},
		{"Filters", func() request { return new(Filters) }, "layer=conv1,conv2 scale=tile max=3"},
		{"Classify", func() request { return new(Classify) }, "top=3"},
		{"Activations", func() request { return new(Activations) }, "layer=conv1,relu2 scale=map max=3"},
		{"Faithful", func() request { return &Faithful{Fill: attribution.Baseline{Kind: attribution.MeanBaseline}} }, "method=saliency class=4 layer=relu2 fill=blur boxes=../testdata/boxes.json steps=9 subsets=2 seed=3"},
		{"Sanity", func() request { r := new(Sanity); r.Seed = 1; return r }, "method=ig layer=relu2 nodes=4 seed=2"},
		{"Pointing", func() request { return new(Pointing) }, "patch=4x5 stride=3 fill=10 rule=guided"},
		{"Invariance", func() request { return new(Invariance) }, "layers=relu1,fc1 transforms=scale,rotate class=1 relative=true points=9"},
		{"Correspondence", func() request { return new(Correspondence) }, "layers=relu1,relu2 random=7 seed=5"},
		{"Evolution", func() request { return &Evolution{Seed: 1} }, "layer=relu1,relu2 maps=0,3 seed=0 rule=gradient clip=90 patches=true"},
		{"Scan", func() request { return new(Scan) }, "layers=relu1,relu2 top=4 shard=1/3 batch=5 exact=true"},
		{"Maximization", func() request { return new(Maximization) },
			"class=1,2 maps=0-3 steps=5 starts=2 diversity=0.5 seed=9 paint=pixels plain-colours=true rate=0.1 jitter=0 zoom=0 turn=0 l2=0 variation=0 blur=1 frames=3"},
		{"Unit", func() request { return new(Unit) }, "unit=relu2:5:3:4 rule=guided clip=100"},
		{"Sheets", func() request { return new(Sheets) }, "top=4 rule=gradient scale=layer clip=90"},
		{"Sheets fixed", func() request { return new(Sheets) }, "scale=0.25"},
		{"Selection", func() request { return new(Selection) }, "layer=relu1,relu2 maps=0,3,7-9"},
		{"Selection large", func() request { return new(Selection) }, "map=3"},
		{"Attribution", func() request { return new(Attribution) },
			"method=gradcam,rise class=1,0 at=3,4 layer=relu1 tokens=2x4 nodes=9 baseline=0.5/0/1 base=guided samples=3 noise=0 masks=12 seed=18446744073709551615 opacity=0.5"},
		{"Attribution target", func() request { return new(Attribution) }, "method=saliency target=relu2:5:3:4,fc1:7:0:0 baseline=blur"},
	}
}

// TestFields sets every field of every request, reads the texts back, and makes the same request of the arguments.
func TestFields(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]map[string]bool{}
	for _, c := range requests() {
		r := c.new()
		kind := reflect.TypeOf(r).String()
		if seen[kind] == nil {
			seen[kind] = map[string]bool{}
		}
		texts := map[string]string{}
		for pair := range strings.FieldsSeq(c.texts) {
			name, text, _ := strings.Cut(pair, "=")
			texts[name], seen[kind][name] = text, true
		}
		get := func(name string) (string, bool) { text, ok := texts[name]; return text, ok }
		if err := r.Fields().Set(nil, get); err != nil {
			t.Errorf("%s without a network: %v", c.name, err)
		}
		if err := r.Fields().Set(net, get); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, f := range r.Fields() {
			if want, ok := texts[f.Name]; ok && f.Text() != want || !ok && f.Changed() {
				t.Errorf("%s: %s is %q, set was %q", c.name, f.Name, f.Text(), want)
			}
		}
		again := c.new()
		args := r.Fields().Arguments()
		if err := again.Fields().Set(net, fromArguments(args)); err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%s: %q gives %+v, %v, not %+v", c.name, args, again, err, r)
		}
	}
	for _, c := range requests() {
		kind := reflect.TypeOf(c.new()).String()
		for _, f := range c.new().Fields() {
			if !seen[kind][f.Name] {
				t.Errorf("%s: field %s is not tried", kind, f.Name)
			}
		}
	}
}

// fromArguments looks flags up as a command does.
func fromArguments(args []string) func(string) (string, bool) {
	given := map[string]string{}
	for i := 0; i < len(args); i++ {
		name, text, joined := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		switch {
		case joined:
		case i+1 < len(args) && !strings.HasPrefix(args[i+1], "--"):
			i++
			text = args[i]
		default:
			text = "true"
		}
		given[name] = text
	}
	return func(name string) (string, bool) { text, ok := given[name]; return text, ok }
}

// TestFieldDefaults sets every field to its default: nothing is changed by that. Names are used once.
func TestFieldDefaults(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range requests() {
		r := c.new()
		names := map[string]bool{}
		for _, f := range r.Fields() {
			for _, name := range f.Names() {
				if names[name] {
					t.Errorf("%s: two fields are called %s", c.name, name)
				}
				names[name] = true
			}
			if f.Usage == "" || f.Text() != f.Default {
				t.Errorf("%s: %s is %q with nothing set, its default %q, its usage %q", c.name, f.Name, f.Text(), f.Default, f.Usage)
			}
			if f.Default != "" {
				if err := f.Set(net, f.Default); err != nil {
					t.Errorf("%s: default of %s: %v", c.name, f.Name, err)
				}
			}
		}
		for _, f := range r.Fields().Changed() {
			if !f.Network { // the default of a layer is written as its name
				t.Errorf("%s: %s is %q, which is not its default %q", c.name, f.Name, f.Text(), f.Default)
			}
		}
	}
}

// TestFieldErrors refuses texts that mean nothing, by the field's name.
func TestFieldErrors(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		r                 request
		name, text, error string
	}{
		{new(Occlusion), "patch", "x", "patch x: want a positive number, or ROWSxCOLUMNS"},
		{new(Occlusion), "patch", "", "patch is empty"},
		{new(Occlusion), "opacity", "0", "opacity 0: want more than 0, at most 1"},
		{new(Occlusion), "opacity", "NaN", "opacity NaN: want a number"},
		{new(Occlusion), "paper", "perhaps", "paper perhaps: want true or false"},
		{new(Occlusion), "soft", "-1", "soft -1: must not be negative"},
		{new(Occlusion), "batch", "65537", "batch 65537: want at most 65536"},
		{new(Maximization), "starts", "1000000", "starts 1000000: want at most 10000"},
		{new(Maximization), "frames", "99999999999", "frames 99999999999: want at most 10000"},
		{new(Occlusion), "class", "dragon", "no class \"dragon\""},
		{new(Occlusion), "position", "3", "position 3: want ROW,COLUMN"},
		{new(Filters), "layer", "relu1,fc1", "layer fc1 is a Dense: it has no filters"},
		{new(Activations), "max", "0", "max 0: want at least 1"},
		{new(Activations), "max", "many", "max many: want a whole number"},
		{new(Activations), "scale", "own", "scale own: want layer or map"},
		{new(GradCAM), "layer", "all", "layer all: want one layer, not 5"},
		{new(GradCAM), "cmap", "pink", "cmap pink: want viridis, jet or gray"},
		{new(Sheets), "scale", "series", "scale series: want tile, map, layer or a positive number"},
		{new(Attribution), "seed", "-3", "seed -3: want a whole number from 0"},
		{new(Attribution), "at", "1,2", "at says where the scores of a class are taken"},
		{new(Attribution), "base", "magic", "base magic: want saliency, "},
		{new(Attribution), "baseline", "1/x", "baseline 1/x: want 0, finite V or V/V/V in network units, mean, image or blur"},
		{new(Faithful), "boxes", "nowhere.json", "boxes stat nowhere.json: "},
		{new(Maximization), "zoom", "-1", "zoom -1: want a number from 0"},
		{new(Maximization), "paint", "oil", "paint oil: want fourier or pixels"},
		{new(Maximization), "jitter", "1.5", "jitter 1.5: want a number from 0"},
		{&Selection{Maps: "3", Large: true}, "maps", "1", "map and --maps exclude each other"},
	} {
		err := c.r.Fields().Set(net, func(name string) (string, bool) { return c.text, name == c.name })
		if err == nil || !strings.HasPrefix(err.Error(), c.error) {
			t.Errorf("%s=%s: %v, want %s", c.name, c.text, err, c.error)
		}
	}
}
