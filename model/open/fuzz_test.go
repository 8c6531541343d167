package open

import (
	"encoding/json"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model/builtin"
)

// FuzzNotes: what notes beside a network say is read again as it was written, and a network takes it or refuses it.
func FuzzNotes(f *testing.F) {
	net, err := builtin.Load("shapes")
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		`{"input":[224,224],"layout":"nhwc","preprocess":{"scale":0.5,"mean":[1],"std":[2]},"classes":["a","b"],"scores":"softmax","output":"y","set":{"t":"1,2","f":"@x.npy"}}`,
		`{"classes":["ring","disc","square","triangle","cross","star","a","b","c","d"]}`, `{"preprocess":{"scale":-1,"crop":1e300,"fit":3,"filter":9}}`, `{"x":1}`, `{"input":[1,2,3]}`,
	} {
		f.Add([]byte(text))
	}
	hostile.Fuzz(f, func(t testing.TB, text []byte) {
		var n *Notes
		if hostile.ReadWithin(t, len(text), hostile.Memory(len(text))+100*len(text), func() (err error) {
			n, err = parseNotes(text)
			return imageio.OneLine(err)
		}) != nil {
			return
		}
		out, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseNotes(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if once, err := json.Marshal(again); err != nil || string(once) != string(out) {
			t.Fatalf("%s is written as %s, %v", out, once, err)
		}
		copied := *net
		hostile.Read(t, len(text), func() error { return imageio.OneLine(n.apply(&copied)) })
	})
}
