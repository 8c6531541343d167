// Command viz shows what a trained CNN has learned: what each feature responds to,
// and which image regions a prediction depends on.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/deconvnet/viz/internal/cmdline"
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
	return cmdline.Program{
		Name:    "viz",
		Usage:   "show what a trained CNN has learned",
		Version: version(),
		About: "Without --model, viz takes $VIZ_MODEL, else ./ckpt.bin, else a built-in network:\n" +
			"shapes (with its generated images), or cifar10 when you bring images.\n\n" +
			"Results go to stdout, everything else to stderr.\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
		Commands: commands(),
	}.Main(ctx, args, stdout, stderr)
}

// commands are the commands, as help lists them. Each has its own request, so that none remembers another run.
func commands() []cmdline.Command {
	return []cmdline.Command{
		demoCommand(), trainCommand(), filtersCommand(), deconvCommand(), featuresCommand(), explainCommand(), gradcamCommand(), occludeCommand(), serveCommand(), attributeCommand(), faithfulCommand(), sanityCommand(), maximizeCommand(),
		activationsCommand(), evalCommand(), inspectCommand(), pointingCommand(), importCommand(), exportCommand(), classifyCommand(), dataCommand(), benchCommand(),
		trialsCommand(), ablateCommand(), evolveCommand(), transferCommand(), probeCommand(), invarianceCommand(), correspondCommand(), rnnCommand(),
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
