package cmdline

import (
	"os"
	"path/filepath"
	"testing"
)

// TestKept: parts are there again in the next run, a line that was cut off is not, and a file of somebody else's stays.
func TestKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x-parts.jsonl")
	open := func(resume bool) *keptFile {
		k := &keptFile{parts: map[string][]byte{}, seen: map[string]bool{}, unlock: func() {}}
		if err := k.open(path, resume); err != nil {
			t.Fatal(err)
		}
		return k
	}
	close := func(k *keptFile) {
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	k := open(true)
	for key, v := range map[string]float64{"a": 1.0 / 3, "b": 2} {
		if err := k.Keep(key, v); err != nil {
			t.Fatal(err)
		}
	}
	close(k)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, `{"key":"c","part":`...), 0o666); err != nil {
		t.Fatal(err)
	}
	k = open(true)
	var v float64
	if ok, err := k.Part("a", &v); !ok || err != nil || v != 1.0/3 {
		t.Errorf("a: %v %v %g", ok, err, v)
	}
	if ok, err := k.Part("c", &v); ok || err != nil || len(k.parts) != 2 {
		t.Errorf("c: %v %v, %d parts", ok, err, len(k.parts))
	}
	if err := k.Keep("c", 3.5); err != nil {
		t.Fatal(err)
	}
	close(k)
	k = open(true)
	if ok, err := k.Part("c", &v); !ok || err != nil || v != 3.5 {
		t.Errorf("c after it was kept: %v %v %g", ok, err, v)
	}
	if _, err := k.Part("c", new(string)); err == nil {
		t.Error("a number is read as a text")
	}
	close(k)
	k = open(true)
	if err := k.Keep("e", 4); err != nil {
		t.Fatal(err)
	}
	if ok, err := k.Part("b", &v); !ok || err != nil || k.tidy() != nil {
		t.Fatal("b is gone", err)
	}
	close(k)
	if text, _ := os.ReadFile(path); string(text) != `{"key":"e","part":4}`+"\n"+`{"key":"b","part":2}`+"\n" {
		t.Errorf("tidied: %q", text)
	}
	close(open(false)) // anew, and nothing was kept
	if _, err := os.Stat(path); err == nil {
		t.Error("an empty file stays")
	}
	for _, torn := range []string{"\x00", "{", "{\"key\":\"a\",\"pa", "{\"key\":\"a\",\x00\x00\x00\x00", "{\"k\x00\x00\x00"} { // a loss of power
		if err := os.WriteFile(path, []byte(torn), 0o666); err != nil {
			t.Fatal(err)
		}
		k := open(true)
		if len(k.parts) != 0 || k.Keep("d", 1) != nil {
			t.Errorf("after %q: %d parts", torn, len(k.parts))
		}
		close(k)
		if text, _ := os.ReadFile(path); string(text) != `{"key":"d","part":1}`+"\n" {
			t.Errorf("after %q the file is %q", torn, text)
		}
	}
	if err := os.WriteFile(path, []byte("mine\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	other := &keptFile{}
	if err := other.open(path, false); err == nil {
		t.Error("a file of somebody else's is written over")
	}
	if text, _ := os.ReadFile(path); string(text) != "mine\n" {
		t.Errorf("it is %q now", text)
	}
	var none *keptFile
	if ok, err := none.Part("a", &v); ok || err != nil || none.Keep("a", 1) != nil || none.Close() != nil {
		t.Error("nil keeps something")
	}
}
