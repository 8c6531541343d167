// Package campaign is what the programs below have in common: they try the program viz many times and count.
//
//	campaign.Main("kill", program, func(dir, viz string) error { ... })
package campaign

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Main runs a campaign in a temporary folder, with the path of viz: the program named, or one built from ./cmd/viz. An
// error is printed and ends the process with 1.
func Main(name, program string, do func(dir, viz string) error) {
	dir, err := os.MkdirTemp("", "viz-"+name)
	if err == nil {
		err = run(dir, program, do)
		os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func run(dir, program string, do func(dir, viz string) error) error {
	if program == "" {
		program = filepath.Join(dir, "viz")
		if out, err := exec.Command("go", "build", "-o", program, "./cmd/viz").CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	viz, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	return do(dir, viz)
}
