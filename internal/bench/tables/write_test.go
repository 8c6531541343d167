package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const lines = `{"by":"viz@avx512","work":"forward vgg16 batch 1","median_s":0.05,"checksum":1000}
{"by":"viz@avx2","work":"forward vgg16 batch 1","median_s":0.08,"checksum":1000.1}
{"by":"ort","work":"forward vgg16 batch 1","median_s":0.5,"checksum":1000}
{"by":"ort","work":"forward vgg16 batch 1","median_s":0.1,"checksum":1000}
{"by":"torch@avx2","work":"forward vgg16 batch 1","median_s":0.06,"checksum":1000}
{"by":"viz@avx512","work":"occlude alexnet","median_s":2,"checksum":5}
{"by":"torch","work":"occlude alexnet","params":{"full_s":12,"measured":64},"median_s":0.5,"checksum":1}
{"by":"viz@avx512","work":"deconv vgg16 features.1","median_s":0.01,"checksum":5}
{"by":"torch","work":"deconv vgg16 features.1","median_s":0.2,"checksum":6}
`

// TestWrite: the newest line of a program counts, a peer held to AVX2 only there, scaled times of occlusion, what
// misses its floor is bold, and other checksums are marked. What is around the tables stays.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	o := options{docs: filepath.Join(dir, "doc.md"), lines: filepath.Join(dir, "lines")}
	put(t, o.lines, lines)
	put(t, o.docs, "a\n<!-- bench forward -->\nold\n<!-- end -->\nb\n<!-- bench occlude -->\n<!-- end -->\n<!-- bench deconv -->\n<!-- end -->\n<!-- bench topk -->\n<!-- end -->\nc\n")
	for range 2 {
		if err := o.write(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(o.docs)
	if err != nil {
		t.Fatal(err)
	}
	want := `a
<!-- bench forward -->

| network | batch | viz, AVX-512 | viz, AVX2 | ONNX Runtime | PyTorch, AVX2 | ratio AVX-512 | ratio AVX2 |
| --- | --- | --- | --- | --- | --- | --- | --- |
| VGG16 | 1 | 50 | 80 | 100 | 60 | 2.00 | **0.75** |

<!-- end -->
b
<!-- bench occlude -->

| network | viz, AVX-512 | PyTorch | ratio AVX-512 | ratio AVX2 |
| --- | --- | --- | --- | --- |
| AlexNet | 2 | 12 | 6.00 |  |

<!-- end -->
<!-- bench deconv -->

| network | layer | viz, AVX-512 | PyTorch | ratio AVX-512 | ratio AVX2 |
| --- | --- | --- | --- | --- | --- |
| VGG16 | features.1 | 10 | 200 | 20.00† |  |

<!-- end -->
<!-- bench topk -->

Not measured yet.

<!-- end -->
c
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWriteNeedsItsMarks(t *testing.T) {
	dir := t.TempDir()
	o := options{docs: filepath.Join(dir, "doc.md"), lines: filepath.Join(dir, "lines")}
	put(t, o.lines, lines)
	put(t, o.docs, "<!-- bench forward -->\n<!-- bench occlude -->\n")
	if err := o.write(); err == nil || !strings.Contains(err.Error(), "doc.md") {
		t.Errorf("got %v", err)
	}
}

func put(t *testing.T, file, text string) {
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
