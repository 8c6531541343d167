package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// deployFile is a file of the folder deploy.
func deployFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// must runs the program, a second time if it fails, as Kubernetes does. It must succeed then.
func must(t *testing.T, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	if run(t.Context(), append([]string{"viz"}, args...), &out, &errs) == 0 {
		return
	}
	if code := run(t.Context(), append([]string{"viz"}, args...), &out, &errs); code != 0 {
		t.Fatalf("viz %v: exit code %d\n%s", args, code, errs.String())
	}
}

// deployed makes a folder with a network and pictures, and the index of all of them.
func deployed(t *testing.T) (dir string, want []byte) {
	t.Helper()
	dir = t.TempDir()
	for i := range 11 {
		text, err := os.ReadFile(filepath.Join("../../testdata", []string{"ring.png", "star.png", "checks.png"}[i%3]))
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, "photos", fmt.Sprintf("%02d.png", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if i == 5 {
			text = []byte("no picture")
		}
		if err := os.WriteFile(name, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "export", "-q", "--onnx", "--out", filepath.Join(dir, "net.onnx"), "cifar10")
	must(t, "features", "-q", "--model", filepath.Join(dir, "net.onnx"), "--images", filepath.Join(dir, "photos"), "--out", filepath.Join(dir, "whole.idx"))
	want, err := os.ReadFile(filepath.Join(dir, "whole.idx"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, want
}

// job is what the test reads of a Job of Kubernetes.
type job struct {
	mode        string
	completions int
	args        []string // of its only container
}

func readJob(t *testing.T, name string) (j job) {
	t.Helper()
	var file map[string]any
	if err := yaml.Unmarshal([]byte(deployFile(t, name)), &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if file["apiVersion"] != "batch/v1" || file["kind"] != "Job" {
		t.Fatalf("%s is %v %v", name, file["apiVersion"], file["kind"])
	}
	spec := file["spec"].(map[string]any)
	j.mode, _ = spec["completionMode"].(string)
	j.completions, _ = spec["completions"].(int)
	pod := spec["template"].(map[string]any)["spec"].(map[string]any)
	list := pod["containers"].([]any)
	if len(list) != 1 {
		t.Fatalf("%s: %d containers", name, len(list))
	}
	for _, a := range list[0].(map[string]any)["args"].([]any) {
		j.args = append(j.args, a.(string))
	}
	return j
}

// TestKubernetes: the containers' own arguments, with the variables that Kubernetes sets, make the index of the whole.
func TestKubernetes(t *testing.T) {
	dir, want := deployed(t)
	j := readJob(t, "kubernetes.yaml")
	if j.mode != "Indexed" || j.completions < 2 {
		t.Fatalf("%+v", j)
	}
	for i := range j.completions {
		var own []string
		for _, a := range j.args {
			a = strings.ReplaceAll(a, "$(JOB_COMPLETION_INDEX)", fmt.Sprint(i))
			own = append(own, strings.ReplaceAll(a, "/data/", dir+"/"))
		}
		must(t, own...)
	}
	args := readJob(t, "kubernetes-merge.yaml").args
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "/data/", dir+"/")
	}
	must(t, args...)
	if got, err := os.ReadFile(filepath.Join(dir, "features.idx")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: the parts of the pods make another index than the whole", err)
	}
}

// TestSlurm: the scripts, with the variables that Slurm sets, make the index of the whole.
func TestSlurm(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash: the scripts of deploy are not run")
	}
	dir, want := deployed(t)
	if _, err := exec.LookPath("viz"); err != nil { // TestMain put it there
		t.Fatal(err)
	}
	script := func(name string, env ...string) {
		t.Helper()
		path, err := filepath.Abs(filepath.Join("../../deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(bash, path)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "NETWORK="+filepath.Join(dir, "net.onnx"), "PICTURES="+filepath.Join(dir, "photos"),
			"PARTS="+filepath.Join(dir, "parts"), "INDEX="+filepath.Join(dir, "slurm.idx"))
		cmd.Env = append(cmd.Env, env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, env, err, out)
		}
	}
	if !regexp.MustCompile(`(?m)^#SBATCH --array=1-\d+$`).MatchString(deployFile(t, "slurm.sbatch")) {
		t.Error("the array does not count from 1")
	}
	script("slurm.sbatch", "SLURM_ARRAY_TASK_ID=1", "SLURM_ARRAY_TASK_COUNT=2", "SLURM_CPUS_PER_TASK=1")
	script("slurm.sbatch", "SLURM_ARRAY_TASK_ID=2", "SLURM_ARRAY_TASK_COUNT=2", "SLURM_CPUS_PER_TASK=2")
	script("slurm-merge.sbatch")
	if got, err := os.ReadFile(filepath.Join(dir, "slurm.idx")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: the parts of the tasks make another index than the whole", err)
	}
}

// TestContainerfile: the images are from scratch, and what is built and copied is there.
func TestContainerfile(t *testing.T) {
	text := deployFile(t, "Containerfile")
	if n := strings.Count(text, "\nFROM scratch AS "); n != 2 || !strings.Contains(text, "CGO_ENABLED=0") {
		t.Errorf("%d images from scratch, want 2, without C", n)
	}
	for _, dir := range []string{"cmd/viz", "cmd/viz-beam"} {
		if _, err := os.Stat(filepath.Join("../..", dir, "main.go")); err != nil || !strings.Contains(text, dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^COPY --from=build(?: --chmod=\d+)? (/out/\S+|/empty) `).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, "-o "+m[1]+" ") && !strings.Contains(text, "mkdir "+m[1]+" ") {
			t.Errorf("%s is copied, but nothing makes it", m[1])
		}
	}
}
