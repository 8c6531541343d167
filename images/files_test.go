package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesUnknown: where the disk does not say the size of a picture, there is no hash of sizes, and its error is given;
// a picture that is gone is no error.
func TestFilesUnknown(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a.png")
	if err := os.WriteFile(a, []byte("a"), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, fails := range map[string]bool{filepath.Join(dir, "gone.png"): false, filepath.Join(dir, strings.Repeat("n", 5000)): true} {
		names := []string{a, name}
		l := &List{Items: make([]Item, 2), file: func(i int) string { return names[i] }}
		sizes, last, _, err := l.Files()
		if (err != nil) != fails || (sizes == "") != fails || last != a {
			t.Errorf("%.60s: sizes %q, last %q, error %v", name, sizes, last, err)
		}
	}
}
