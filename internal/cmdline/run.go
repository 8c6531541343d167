// Package cmdline is what every command of a program with networks, pictures and files does alike: notes, progress
// and errors with hints, networks and images as the command line names them, files that appear whole or not at all
// and replace nothing by accident. Commands hold what is theirs: a request, and what is done with it.
package cmdline

import (
	"context"
	"io"

	"github.com/urfave/cli/v2"
)

// Run is one run of a command: what it was told that every command may be told, and where it writes.
type Run struct {
	Context                              context.Context
	Version                              string // of the program
	Command                              string // its name
	Stdout, Stderr                       io.Writer
	Quiet, JSON, Force, Strict, ByNumber bool
	App                                  *cli.App
	flags                                *cli.Context
}

// Action makes the action of a command.
func Action(do func(*Run) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		return do(&Run{Context: c.Context, Version: c.App.Version, Command: c.Command.Name, Stdout: c.App.Writer, Stderr: c.App.ErrWriter, Quiet: c.Bool("quiet"),
			JSON: c.Bool("json"), Force: c.Bool("force"), Strict: c.Bool("strict"), ByNumber: c.Bool("by-number"), App: c.App, flags: c})
	}
}

func (c *Run) String(name string) string        { return c.flags.String(name) }
func (c *Run) Int(name string) int              { return c.flags.Int(name) }
func (c *Run) Bool(name string) bool            { return c.flags.Bool(name) }
func (c *Run) Float64(name string) float64      { return c.flags.Float64(name) }
func (c *Run) Uint64(name string) uint64        { return c.flags.Uint64(name) }
func (c *Run) StringSlice(name string) []string { return c.flags.StringSlice(name) }
func (c *Run) Value(name string) any            { return c.flags.Value(name) }
func (c *Run) IsSet(name string) bool           { return c.flags.IsSet(name) }
func (c *Run) Args() cli.Args                   { return c.flags.Args() }
func (c *Run) NArg() int                        { return c.flags.NArg() }
