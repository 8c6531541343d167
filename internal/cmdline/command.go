// Package cmdline is what every command of a program with networks, pictures and files does alike: notes, progress
// and errors with hints, networks and images as the command line names them, files that appear whole or not at all
// and replace nothing by accident. Commands hold what is theirs: a request, and what is done with it.
package cmdline

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/view"
	"github.com/urfave/cli/v2"
)

// Command is a command as data: what its help says, what it can be told, and what it does.
type Command struct {
	Name     string
	Usage    string   // in one line
	Form     string   // how it is called, instead of "viz NAME [flags] ARGS"
	Args     string   // its arguments in help, such as "IMG..."; "" if it takes none
	About    string   // what help says before the examples
	Examples []string // command lines
	Flags    Flags    // settings that it shares with others
	Fields   view.Fields
	Change   view.Fields // of shared settings, by name: another Usage or Default
	Instead  string      // of arguments, if it takes none: a hint
	Commands []Command   // of its own
	Do       func(*Run) error
}

// build makes the command for the parser of command lines.
func (d Command) build(e *ends, above string) *cli.Command {
	form := d.Form
	if form == "" {
		form = strings.TrimSpace(above + d.Name + " [flags] " + d.Args)
	}
	cmd := &cli.Command{Name: d.Name, Usage: d.Usage, UsageText: form, Description: strings.TrimSpace(d.About + "\n\n" + examples(d.Examples)),
		OnUsageError: onUsageError, HideHelpCommand: true}
	for _, sub := range d.Commands {
		cmd.Subcommands = append(cmd.Subcommands, sub.build(e, above+d.Name+" "))
	}
	if d.Do == nil {
		cmd.Action = func(c *cli.Context) error {
			if c.NArg() == 0 {
				return cli.ShowSubcommandHelp(c)
			}
			return Usage("there is no command "+d.Name+" "+c.Args().First(), "there are "+names(cmd.Subcommands))
		}
		return cmd
	}
	common := &Common{}
	fields := d.fields(common)
	for _, f := range fields {
		cmd.Flags = append(cmd.Flags, flag(f))
	}
	cmd.Action = func(c *cli.Context) error {
		if d.Args == "" && c.NArg() > 0 && len(d.Commands) == 0 {
			return Usage(above+d.Name+" takes no arguments, got "+c.Args().First(), d.Instead)
		}
		run := newRun(c, common, fields, e)
		run.noteOldNames()
		if err := fields.Set(nil, run.given); err != nil {
			return settingErr(err)
		}
		return d.Do(run)
	}
	return cmd
}

// Settings lists all settings of the command, for documentation.
func (d Command) Settings() view.Fields { return d.fields(&Common{}) }

// fields lists all settings of the command.
func (d Command) fields(common *Common) view.Fields {
	before, after := common.fields(d.Flags)
	all := append(append(before, d.Fields...), after...)
	for _, change := range d.Change {
		f := all.Named(change.Name)
		if change.Usage != "" {
			f.Usage = change.Usage
		}
		if change.Otherwise != "" {
			f.Default, f.Otherwise = "", change.Otherwise
		}
		if change.Default != "" {
			f.Default = change.Default
		}
	}
	for _, f := range all { // what is not given is as if the default were
		if f.Default != "" && !f.Network && !f.Switch {
			f.Set(nil, f.Default)
		}
	}
	return alike(all)
}

// flag makes a flag of a field.
func flag(f view.Field) cli.Flag {
	text := f.Default
	if text == "" {
		text = f.Otherwise
	}
	switch {
	case f.Switch:
		return &cli.BoolFlag{Name: f.Name, Aliases: f.Names()[1:], Usage: f.Usage, DisableDefaultText: true, Hidden: f.Hidden}
	case f.Lines:
		return &cli.StringSliceFlag{Name: f.Name, Aliases: f.Names()[1:], Usage: f.Usage, DefaultText: text}
	}
	return &cli.StringFlag{Name: f.Name, Aliases: f.Names()[1:], Usage: f.Usage, DefaultText: text}
}

// examples are the examples of a command's help.
func examples(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "Examples:\n   " + strings.Join(lines, "\n   ")
}

// names lists commands.
func names(commands []*cli.Command) string {
	var list []string
	for _, c := range commands {
		list = append(list, c.Name)
	}
	return strings.Join(list, ", ")
}

// Run is one run of a command: what it was told, and where it writes.
type Run struct {
	*Common
	Context        context.Context
	Version        string   // of the program
	Command        string   // the command's name
	Args           []string // that are no flags
	Stdout, Stderr io.Writer

	fields  view.Fields
	flags   *cli.Context
	ends    *ends
	boundBy string // what bounds Memory: GOMEMLIMIT; "": --memory
	spare   int    // what LimitMemory found to be left for pictures, bytes; 0: not bounded
}

// noteOldNames tells which flags of the command line have another name now.
func (c *Run) noteOldNames() {
	for _, arg := range c.ends.args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if arg == "--" {
			return
		}
		if f := c.fields.Named(name); f != nil && strings.HasPrefix(arg, "-") && slices.Contains(f.Was, name) {
			fmt.Fprintf(c.Stderr, "viz: --%s is now called --%s; the old name goes with the next version\n", name, f.Name)
		}
	}
}

// ends is what is to be seen to at the end of a program.
type ends struct {
	args     []string // of the command line, flags first
	made     []string // folders, which are taken away if the run failed and left them empty
	limit    int64    // of the memory of the process as it was begun: GOMEMLIMIT
	unusable error    // images of data sets that were learnt from and could not be used
}

func newRun(c *cli.Context, common *Common, fields view.Fields, e *ends) *Run {
	return &Run{Common: common, Context: c.Context, Version: c.App.Version, Command: c.Command.Name, Args: c.Args().Slice(),
		Stdout: c.App.Writer, Stderr: c.App.ErrWriter, fields: fields, flags: c, ends: e}
}

// given is the text of a flag that was given.
func (c *Run) given(name string) (string, bool) {
	if !c.flags.IsSet(name) {
		return "", false
	}
	if f := c.fields.Named(name); f != nil && f.Lines {
		return strings.Join(c.flags.StringSlice(name), "\n"), true
	}
	return fmt.Sprint(c.flags.Value(name)), true
}

// Text is a flag as it was given, or what stands for it.
func (c *Run) Text(name, otherwise string) string {
	if text, given := c.given(name); given {
		return text
	}
	return otherwise
}

// Given reports whether a flag was given.
func (c *Run) Given(name string) bool { return c.flags.IsSet(name) }

// Settle reads the settings that depend on the network.
func (c *Run) Settle(net *model.Network) error { return settingErr(c.fields.Set(net, c.given)) }

// settingErr is the mistake in a flag that another error explains.
func settingErr(err error) error {
	if p, ok := RequestErr(err).(*Problem); ok {
		return p
	}
	return UsageErr(err)
}
