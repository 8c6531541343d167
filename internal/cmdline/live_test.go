package cmdline

import (
	"strings"
	"testing"
)

// TestNeeded: what files do not depend on is not in the command line that they name.
func TestNeeded(t *testing.T) {
	fields := Command{Name: "try", Flags: Pictures | Workers | Memory | Out | JSON}.Settings()
	for args, want := range map[string]string{
		"try --workers 3 -q --out x a.png":            "try --out x a.png",
		"--workers=3 try -quiet --out=--json a.png":   "try --out=--json a.png",
		"try --out --workers a.png --memory 1G":       "try --out --workers a.png",
		"try --json --limit 3 --force -- --workers 3": "try --limit 3 -- --workers 3",
		"try -": "try -",
	} {
		if got := strings.Join(needed(strings.Fields(args), fields), " "); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}
