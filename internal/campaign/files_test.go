package campaign_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/deconvnet/viz/internal/campaign"
)

// Runs that differ in what a clock said are the same; those that differ in anything else are not.
func TestContent(t *testing.T) {
	for _, c := range []struct {
		name, one, other string
		same             bool
	}{
		{"a.csv", "method,drop,seconds\nx,1,0.2\n", "method,drop,seconds\nx,1,0.3\n", true},
		{"a.csv", "method,drop,seconds\nx,1,0.2\n", "method,drop,seconds\nx,2,0.2\n", false},
		{"a.csv", "method,drop\nx,1,0.2\n", "method,drop\nx,1,0.3\n", false}, // no table
		{"a.json", `{"rows": [{"a": 1, "images_per_second": 7}]}`, `{"rows": [{"a": 1, "images_per_second": 8}]}`, true},
		{"a.json", `{"rows": [{"a": 1, "seconds": 7}]}`, `{"rows": [{"a": 2, "seconds": 7}]}`, false},
		{"a.json", `{"rows"`, `{"row`, false},
		{"log.jsonl", `{"loss": 1, "seconds": 2}`, `{"loss": 1, "seconds": 3}`, true},
		{"log.jsonl", `{"loss": 1, "seconds": 2}`, `{"loss": 2, "seconds": 2}`, false},
		{"a.png", "seconds 1", "seconds 2", false},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		hash := func(content string) string {
			if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
				t.Fatal(err)
			}
			got, err := campaign.Content(path)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if same := hash(c.one) == hash(c.other); same != c.same {
			t.Errorf("%s: %s and %s: the same is %t, want %t", c.name, c.one, c.other, same, c.same)
		}
	}
}
