package imageio

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestFileName: whatever a name is, its file lies in the folder, and long names that differ have files that do.
func TestFileName(t *testing.T) {
	long := strings.Repeat("ü", 2000)
	seen := map[string]string{}
	for _, name := range []string{"", ".", "..", "...", "../../x", "/etc/passwd", "a\x00b", "a\nc", "\x1b[2J", "\u202egpj.exe", "\xff\xfe", "-rf", long, long + "a", "x" + long, strings.Repeat("a", 201), strings.Repeat("a", 202)} {
		got := FileName(name)
		if got == "" || len(got) > maxName || filepath.Base(got) != got || !filepath.IsLocal(got) || got == "." || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\x1b\u202e") {
			t.Errorf("%.20q: %q", name, got)
		}
		if FileName(got) != got {
			t.Errorf("%.20q: the file name of %.20q is %.20q", name, got, FileName(got))
		}
		if other, ok := seen[got]; ok && len(name) > maxName {
			t.Errorf("%.20q and %.20q are both %.20q", name, other, got)
		}
		seen[got] = name
	}
	if runtime.GOOS != "windows" {
		for _, name := range []string{"conv 1:0", "a.b", "..a", "日本"} {
			if got := FileName(name); got != name {
				t.Errorf("%q: %q", name, got)
			}
		}
	}
}
