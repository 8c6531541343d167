// Command viz shows what a trained CNN has learned: what each feature responds to,
// and which image regions a prediction depends on.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/urfave/cli/v2"
)

func main() {
	// A terminal that is closed ends the work as Ctrl-C does; nobody reading the progress any more does not end it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends what does not listen, such as a read that hangs
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var app *cli.App
	app = &cli.App{
		Name:                      "viz",
		Usage:                     "show what a trained CNN has learned",
		UsageText:                 "viz COMMAND [flags] [arguments]",
		Version:                   version(),
		HideHelpCommand:           true,
		EnableBashCompletion:      true,
		DisableSliceFlagSeparator: true,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              cmdline.OnUsageError,
		Description: "Without --model, viz takes $VIZ_MODEL, else ./ckpt.bin, else a built-in network:\n" +
			"shapes (with its generated images), or cifar10 when you bring images.\n\n" +
			"Results go to stdout, everything else to stderr.\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
		Commands: []*cli.Command{
			demoCommand(), trainCommand(), filtersCommand(), deconvCommand(), featuresCommand(), gradcamCommand(), occludeCommand(), serveCommand(), attributeCommand(), faithfulCommand(), sanityCommand(), maximizeCommand(),
			activationsCommand(), evalCommand(), inspectCommand(), pointingCommand(), importCommand(), exportCommand(), classifyCommand(), dataCommand(), benchCommand(),
			trialsCommand(), ablateCommand(), evolveCommand(), transferCommand(), probeCommand(), invarianceCommand(), correspondCommand(), rnnCommand(),
			versionCommand(), completionCommand(), manCommand(),
		},
		Action: func(c *cli.Context) error {
			if name := c.Args().Get(1); c.Args().First() == "help" && app.Command(name) != nil {
				return cli.ShowCommandHelp(c, name)
			}
			if c.NArg() == 0 || c.Args().First() == "help" {
				return cli.ShowAppHelp(c)
			}
			return cmdline.Usage("there is no command "+c.Args().First(), cmdline.SuggestCommand(c))
		},
	}
	for _, cmd := range app.Commands {
		manners(cmd)
	}
	args = args[min(1, len(args)):]
	for _, text := range cmdline.OldNames(args) {
		fmt.Fprintln(stderr, "viz:", text)
	}
	args = cmdline.Rearrange(app.Commands, args)
	err := app.RunContext(ctx, append([]string{"viz"}, args...))
	if err == nil {
		err = cmdline.Unusable(app)
	}
	if err != nil {
		cmdline.Tidy(app)
	}
	return cmdline.Report(ctx, stderr, err)
}

// manners gives a command what every command needs: the flags about networks, one name
// for the flag of layers, and one error for a bad flag instead of the help.
func manners(cmd *cli.Command) {
	cmdline.ModelFlags(cmd)
	cmdline.LayerFlags(cmd)
	if slices.Contains(cmd.Flags, cli.Flag(cmdline.OutFlag)) || slices.Contains([]string{"train", "import", "export", "probe", "transfer"}, cmd.Name) {
		cmd.Flags = append(cmd.Flags, cmdline.ForceFlag)
	}
	if slices.ContainsFunc(cmd.Flags, func(f cli.Flag) bool { return f.Names()[0] == "images" || f.Names()[0] == "data" }) {
		cmd.Flags = append(cmd.Flags, cmdline.StrictFlag)
	}
	cmd.OnUsageError = cmdline.OnUsageError
	cmd.HideHelpCommand = true
	for _, sub := range cmd.Subcommands {
		manners(sub)
	}
	if len(cmd.Subcommands) > 0 && len(cmd.Flags) == 0 {
		return // the arguments are a command of their own
	}
	before := cmd.Before
	cmd.Before = func(c *cli.Context) error {
		if cmd.Command(c.Args().First()) != nil {
			return nil // as these are
		}
		if before != nil {
			if err := before(c); err != nil {
				return err
			}
		}
		return cmdline.CheckFlags(c)
	}
}

// version is the module version or the commit the binary was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
