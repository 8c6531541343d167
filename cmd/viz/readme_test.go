package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/builtin"
	"github.com/deconvnet/viz/model/onnx"
)

// downloads are the README's commands that need data which is not here: they must
// say how to get it.
var downloads = []string{"viz trials --data cifar10"}

// TestReadme runs the commands of the README's walks, one after the other.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("trains a network")
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	star, err := os.ReadFile("../../testdata/star.png")
	if err != nil {
		t.Fatal(err)
	}
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	walks := 0
	for section := range strings.SplitSeq(string(text), "\n## ") {
		blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1)
		if len(blocks) == 0 {
			continue
		}
		walks++
		t.Run(strings.SplitN(section, "\n", 2)[0], func(t *testing.T) {
			t.Chdir(t.TempDir())
			readmeFiles(t, net, star)
			for _, block := range blocks {
				for line := range strings.Lines(block[1]) {
					readmeCommand(t, strings.TrimSpace(line))
				}
			}
		})
	}
	if walks < 3 {
		t.Fatalf("the README has %d walks with commands, want at least 3", walks)
	}
}

// readmeFiles makes the files that the commands are about.
func readmeFiles(t *testing.T, net *model.Network, star []byte) {
	if err := onnx.Export("net.onnx", net, 0); err != nil {
		t.Fatal(err)
	}
	os.Mkdir("photos", 0o777)
	for name, data := range map[string][]byte{"photo.jpg": star, filepath.Join("photos", "a.png"): star, filepath.Join("photos", "b.png"): star,
		"names.txt": []byte(strings.Join(net.Classes, "\n"))} {
		if err := os.WriteFile(name, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func readmeCommand(t *testing.T, line string) {
	if strings.HasPrefix(line, "viz data get") {
		return // goes to the network
	}
	// A tenth of the training shows as well that the commands fit together.
	args := strings.Fields(strings.NewReplacer("--steps 200", "--steps 20", "--checkpoint-every 50", "--checkpoint-every 5").Replace(line))
	if args[0] != "viz" {
		t.Fatalf("%s: want a viz command", line)
	}
	var expanded []string
	for _, a := range args { // as a shell does
		if found, _ := filepath.Glob(a); strings.Contains(a, "*") && len(found) > 0 {
			expanded = append(expanded, found...)
		} else {
			expanded = append(expanded, a)
		}
	}
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), expanded, &stdout, &stderr)
	for _, d := range downloads {
		if strings.HasPrefix(line, d) {
			if code != 1 || !strings.Contains(stderr.String(), "viz data get") {
				t.Errorf("%s: exit code %d, want the hint to download\n%s", line, code, stderr.String())
			}
			return
		}
	}
	if code != 0 {
		t.Errorf("%s: exit code %d\n%s", line, code, stderr.String())
	}
}

// TestReadmeCode: the README's code is that of the tested example.
func TestReadmeCode(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../occlusion/service_example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(text)
	if block == nil || !strings.Contains(string(example), strings.ReplaceAll(string(block[1]), "    ", "\t")) {
		t.Error("the README's code is not that of occlusion/service_example_test.go")
	}
}
