package dataset

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestBrokenArchives: errors name the file and no package of the library.
func TestBrokenArchives(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.zip", "a.npz", "a.tar.gz", "a.tgz", "a.tar"} {
		for _, text := range []string{"no archive at all", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x07\x07\x07", "\x1f\x8b\x08\x00", "PK\x03\x04"} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
			_, err := Open(context.Background(), path, Options{})
			if err == nil {
				t.Errorf("%s: %q is read", name, text)
			} else if regexp.MustCompile(`(^|[ :])(zip|gzip|archive/tar|tar|flate|dataset): `).MatchString(err.Error()) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
