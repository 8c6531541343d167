package cmdline

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// rearrange puts the flags of a command line between the command and its arguments, for urfave/cli/v2
// stops reading flags at the first argument. "--" ends the flags; a single "-" is
// an argument.
func rearrange(commands []*cli.Command, args []string) []string {
	for i, a := range args {
		if cmd := commandNamed(commands, a); cmd != nil {
			return slices.Concat([]string{a}, flagsFirst(cmd, slices.Concat(args[:i], args[i+1:])))
		}
		isValue := i > 0 && strings.HasPrefix(args[i-1], "-") && !strings.Contains(args[i-1], "=")
		if slices.Contains(ofTheProgram, a) || !strings.HasPrefix(a, "-") && !isValue {
			break
		}
	}
	return args
}

// ofTheProgram are the flags that stand before a command for themselves.
var ofTheProgram = []string{"--help", "-h", "--version", "-v", "--generate-bash-completion", "--"}

// flagsFirst is rearrange for what follows the name of a command.
func flagsFirst(cmd *cli.Command, args []string) []string {
	var flags, words []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--help" || a == "-h":
			return []string{"--help"} // with arguments it would take them for topics
		case a == "--":
			words = append(words, args[i+1:]...)
			i = len(args)
		case len(a) < 2 || a[0] != '-':
			if sub := commandNamed(cmd.Subcommands, a); sub != nil && len(words) == 0 {
				return slices.Concat(flags, []string{a}, flagsFirst(sub, args[i+1:]))
			}
			words = append(words, a)
		default:
			flags = append(flags, a)
			if takesValue(cmd, a) {
				if i++; i == len(args) {
					return flags // the parser misses the value
				}
				flags = append(flags, args[i])
			}
		}
	}
	if len(words) == 0 {
		return flags
	}
	return slices.Concat(flags, []string{"--"}, words)
}

func commandNamed(commands []*cli.Command, name string) *cli.Command {
	for _, cmd := range commands {
		if cmd.HasName(name) {
			return cmd
		}
	}
	return nil
}

// takesValue reports whether the flag of a command takes the next argument as its value.
func takesValue(cmd *cli.Command, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range cmd.Flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false // help, or no flag: the parser says so
}
