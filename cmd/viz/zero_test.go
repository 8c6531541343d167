package main

import (
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/cmdline"
)

// TestZero: a 0 for a setting is refused, or kept, or its help says what it means; it is never silently the default.
func TestZero(t *testing.T) {
	var try func(above string, list []cmdline.Command)
	try = func(above string, list []cmdline.Command) {
		for _, d := range list {
			for _, f := range d.Settings() {
				if f.Network || f.Switch || f.Otherwise == "0" || strings.Contains(f.Usage, "0: ") || strings.Contains(f.Usage, "from 0") {
					continue
				}
				if err := f.Set(nil, "0"); err == nil && f.Text() != "0" {
					t.Errorf("%s %s --%s 0 is taken for the default %q %q", above, d.Name, f.Name, f.Default, f.Otherwise)
				}
			}
			try(above+" "+d.Name, d.Commands)
		}
	}
	try("viz", commands())
}
