// Command viz-beam does what viz does on many machines: indexes of features, classes, occlusion and attribution maps
// and their faithfulness over as many pictures as there are, through Apache Beam.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/deconvnet/viz/cmd/viz-beam/internal/pipeline"
	"github.com/deconvnet/viz/internal/cmdline"
)

func main() {
	if pipeline.IsWorker(os.Args) {
		fmt.Fprintln(os.Stderr, "viz-beam:", pipeline.Work(os.Args))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return cmdline.Program{
		Name:    "viz-beam",
		Usage:   "run viz over many pictures on many machines, through Apache Beam",
		Version: version(),
		About: "A job is cut into units of some pictures. Their results are kept in a work folder that all workers see,\n" +
			"and put together to what viz makes on one machine, byte for byte. A job that ended early goes on where it\n" +
			"stopped: run the same command again. docs/cluster.md says when this is worth it.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
		Commands: []cmdline.Command{featuresCommand(), classifyCommand(), occludeCommand(), attributeCommand(), faithfulCommand(), listCommand(), prismCommand(), poolCommand()},
	}.Main(ctx, args, stdout, stderr)
}

// version is the module version or the commit the binary was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return info.Main.Version
}
