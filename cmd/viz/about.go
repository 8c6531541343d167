package main

import (
	"fmt"
	"runtime"

	"github.com/deconvnet/viz/internal/cmdline"

	"github.com/urfave/cli/v2"
)

func versionCommand() *cli.Command {
	return &cli.Command{Name: "version", Usage: "print the version", UsageText: "viz version",
		Action: cmdline.Action(func(c *cmdline.Run) error {
			_, err := fmt.Fprintf(c.Stdout, "viz %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		})}
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

func completionCommand() *cli.Command {
	return &cli.Command{Name: "completion", Usage: "print a script that lets bash, zsh or fish complete viz's commands and flags",
		UsageText: "viz completion bash|zsh|fish",
		Description: cmdline.Examples("source <(viz completion bash)", "viz completion zsh > ~/.zfunc/_viz",
			"viz completion fish > ~/.config/fish/completions/viz.fish"),
		Action: cmdline.Action(func(c *cmdline.Run) error {
			shell := c.Args().First()
			text, ok := completions[shell]
			if shell == "fish" {
				var err error
				if text, err = c.App.ToFishCompletion(); err != nil {
					return err
				}
				ok = true
			}
			if !ok {
				return cmdline.Usage("want a shell: bash, zsh or fish", "source <(viz completion bash)")
			}
			_, err := fmt.Fprint(c.Stdout, text)
			return err
		})}
}

func manCommand() *cli.Command {
	return &cli.Command{Name: "man", Usage: "print the manual page", UsageText: "viz man",
		Description: cmdline.Examples("viz man > ~/.local/share/man/man1/viz.1"),
		Action: cmdline.Action(func(c *cmdline.Run) error {
			text, err := c.App.ToManWithSection(1)
			if err == nil {
				_, err = fmt.Fprint(c.Stdout, text)
			}
			return err
		})}
}
