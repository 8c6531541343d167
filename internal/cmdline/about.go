package cmdline

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
)

// about lists the commands about the program itself.
func about(app *cli.App) []Command {
	return []Command{versionCommand(), completionCommand(app), manCommand(app)}
}

func versionCommand() Command {
	return Command{Name: "version", Usage: "print the version", Form: "viz version",
		Do: func(c *Run) error {
			_, err := fmt.Fprintf(c.Stdout, "viz %s %s %s/%s\n", c.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		}}
}

// completions are what a shell runs so that it can complete commands and flags of viz,
// which lists them itself (--generate-bash-completion).
var completions = map[string]string{
	"bash": `_viz() {
	local cur=${COMP_WORDS[COMP_CWORD]} words
	words=("${COMP_WORDS[@]:0:COMP_CWORD}")
	[[ $cur == -* ]] && words+=("$cur")
	COMPREPLY=($(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null | cut -d: -f1)" -- "$cur"))
}
complete -o default -o bashdefault -F _viz viz
`,
	"zsh": `#compdef viz
_viz() {
	local -a found
	if [[ ${words[CURRENT]} == -* ]]; then
		found=("${(@f)$(${words[1,CURRENT]} --generate-bash-completion 2>/dev/null | cut -d: -f1)}")
	else
		found=("${(@f)$(${words[1,CURRENT-1]} --generate-bash-completion 2>/dev/null | cut -d: -f1)}")
	fi
	compadd -a found
	_files
}
compdef _viz viz
`,
}

func completionCommand(app *cli.App) Command {
	return Command{Name: "completion", Usage: "print a script that lets bash, zsh or fish complete viz's commands and flags", Args: "bash|zsh|fish", Form: "viz completion bash|zsh|fish",
		Examples: []string{"source <(viz completion bash)", "viz completion zsh > ~/.zfunc/_viz", "viz completion fish > ~/.config/fish/completions/viz.fish"},
		Do: func(c *Run) error {
			shell := append(c.Args, "")[0]
			text, ok := completions[shell]
			if shell == "fish" {
				var err error
				if text, err = app.ToFishCompletion(); err != nil {
					return err
				}
				ok = true
			}
			if !ok {
				return Usage("want a shell: bash, zsh or fish", "source <(viz completion bash)")
			}
			_, err := fmt.Fprint(c.Stdout, text)
			return err
		}}
}

func manCommand(app *cli.App) Command {
	return Command{Name: "man", Usage: "print the manual page", Form: "viz man",
		Examples: []string{"viz man > ~/.local/share/man/man1/viz.1"},
		Do: func(c *Run) error {
			text, err := app.ToManWithSection(1)
			if err == nil {
				_, err = fmt.Fprint(c.Stdout, text)
			}
			return err
		}}
}
