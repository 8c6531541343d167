package model_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
)

// branched has a convolution with all that can follow it in a step, a value that
// two nodes read, one that a node reads twice, and a branch to nowhere.
func branched() *model.Network {
	node := func(name string, l model.Layer, inputs ...string) model.Node {
		return model.Node{Name: name, Layer: l, Inputs: inputs}
	}
	return &model.Network{Name: "branched", Input: model.Input{Name: "in", C: 1, H: 8, W: 8}, Nodes: []model.Node{
		node("conv", &model.Conv{}, "in"),
		node("norm", &model.BatchNorm{}, "conv"),
		node("relu", &model.ReLU{}, "norm"),
		node("pool", &model.Pool{Op: model.PoolMax}, "relu"),
		node("left", &model.Conv{}, "pool"),
		node("clip", &model.Clip{}, "left"),
		node("late", &model.BatchNorm{}, "clip"),
		node("again", &model.ReLU{}, "late"),
		node("double", &model.Add{}, "again", "again"),
		node("sum", &model.Add{}, "double", "pool"),
		node("swish", &model.Unary{Op: "Swish"}, "sum"),
		node("second", &model.ReLU{}, "swish"),
		node("nowhere", &model.ReLU{}, "left"),
	}}
}

func TestGraph(t *testing.T) {
	net := branched()
	g := net.Graph("second")
	if g.Needed("nowhere") || !g.Needed("second") || !g.Needed("in") || g.Wanted("swish") || !g.Wanted("second") {
		t.Errorf("needed: %v", net.Needed([]string{"second"}, nil))
	}
	for name, want := range map[string]string{"in": "conv", "pool": "left sum", "again": "double double", "left": "clip", "second": "", "nowhere": ""} {
		var got []string
		for _, n := range g.Readers(name) {
			got = append(got, n.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s is read by %v, want %s", name, got, want)
		}
		only := g.OnlyReader(name)
		if one := len(got) == 1; one != (only != nil) || one && only.Name != want {
			t.Errorf("the only reader of %s is %v, of %v", name, only, got)
		}
	}
	if net.Graph("left", "second").OnlyReader("left") != nil {
		t.Error("a wanted value has no only reader")
	}
	// Along the first inputs only, the sum's second does not count.
	along := net.Needed([]string{"sum"}, func(n *model.Node, input int) bool { return n.Name != "double" })
	if want := []string{"conv", "double", "in", "norm", "pool", "relu", "sum"}; !slices.Equal(slices.Sorted(maps.Keys(along)), want) {
		t.Errorf("needed along some inputs: %v", along)
	}
}

func TestFusions(t *testing.T) {
	any := func(*model.Fused, *model.Node) bool { return true }
	for _, c := range []struct {
		wanted string
		can    func(f *model.Fused, next *model.Node) bool
		want   string
	}{
		// In order; clip then norm, and a second activation, begin steps of their own.
		{"second", any, "conv+norm+relu+pool=pool left+clip=clip late+again=again double=double sum+swish=swish second=second"},
		{"second relu", any, "conv+norm+relu=relu pool=pool left+clip=clip late+again=again double=double sum+swish=swish second=second"},
		{"second conv", any, "conv=conv norm+relu+pool=pool left+clip=clip late+again=again double=double sum+swish=swish second=second"},
		{"nowhere", any, "conv+norm+relu+pool=pool left+nowhere=nowhere"},
		{"second", func(f *model.Fused, next *model.Node) bool { return f.Norm == nil && next.Name != "norm" },
			"conv=conv norm+relu+pool=pool left+clip=clip late+again=again double=double sum+swish=swish second=second"},
		{"second", func(f *model.Fused, next *model.Node) bool { return f.Act == nil },
			"conv+norm+relu=relu pool=pool left+clip=clip late+again=again double=double sum+swish=swish second=second"},
		{"pool", func(*model.Fused, *model.Node) bool { return false }, "conv=conv norm=norm relu=relu pool=pool"},
	} {
		var got []string
		for _, f := range branched().Graph(strings.Fields(c.wanted)...).Fusions(c.can) {
			names := f.Node.Name
			for _, n := range []*model.Node{f.Norm, f.Act, f.Pool} {
				if n != nil {
					names += "+" + n.Name
				}
			}
			got = append(got, fmt.Sprintf("%s=%s", names, f.Out))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("steps for %s\n got %s\nwant %s", c.wanted, s, c.want)
		}
	}
}
