package features_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/deconvnet/viz/features"
	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
)

// indexFile is an index with the head that its body should have.
func indexFile(body []byte) []byte {
	return append(fmt.Appendf(nil, "{\"format\":\"viz features index\",\"version\":1,\"sha256\":\"%x\"}\n", sha256.Sum256(body)), body...)
}

// FuzzIndex: what is read is written and read again as the same file, and merges with itself only if it has done nothing.
// Each input is tried as a file and as the body of one, with the right checksum.
func FuzzIndex(f *testing.F) {
	body := []byte(`{"model":"m","kernel":"avx2","images":3,"top_k":1,"done":[{"from":0,"to":2}],"skipped":[{"image":1,"why":"x"}],"source":{},"layers":[{"name":"a","h":2,"w":3,"top":[[{"image":0,"y":1,"x":2,"value":1.5}]],"stats":[{"images":2,"fired":1,"positive":3,"sum":"1","squares":"-ff","maxima":{"first":0,"counts":[1]}}]}],"named":[{"image":0,"name":"n"}]}` + "\n")
	f.Add(body)
	f.Add(indexFile(body))
	f.Add([]byte(`{"images":-1}`))
	var made bytes.Buffer
	if err := (&features.Index{Images: 2, TopK: 1, Layers: []features.Layer{{Name: "a", H: 1, W: 1, Top: [][]features.Hit{{{Image: 1, Value: 2}}}, Stats: make([]features.Stats, 1)}}}).Write(&made); err != nil {
		f.Fatal(err)
	}
	_, line, _ := bytes.Cut(made.Bytes(), []byte("\n"))
	f.Add(line)
	hostile.Fuzz(f, func(t testing.TB, text []byte) {
		for _, file := range [][]byte{text, indexFile(text)} {
			var x *features.Index
			if hostile.ReadWithin(t, len(file), hostile.Memory(len(file))+16*len(file), func() (err error) {
				x, err = features.Read(bytes.NewReader(file))
				return imageio.OneLine(err)
			}) != nil {
				continue
			}
			var once, twice bytes.Buffer
			if err := x.Write(&once); err != nil {
				t.Fatal(err)
			}
			again, err := features.Read(bytes.NewReader(once.Bytes()))
			if err != nil {
				t.Fatalf("%v of what was written: %s", err, once.Bytes())
			}
			if again.Write(&twice); !bytes.Equal(once.Bytes(), twice.Bytes()) {
				t.Fatalf("written twice, %s and %s", once.Bytes(), twice.Bytes())
			}
			if _, err := features.Merge(x); err != nil {
				t.Fatalf("alone, it does not merge: %v", err)
			}
			if _, err := features.Merge(x, again); err == nil && len(x.Done) > 0 {
				t.Fatal("merged twice")
			}
		}
	})
}
