package deconv

import "github.com/deconvnet/viz/model/backward"

// Rule says how a top-down signal passes the layers that are not linear.
type Rule = backward.Rule

// The rules. A projection starts at the unit's activation, so that by the rule
// Gradient it is the true gradient times that activation.
const (
	Paper        = backward.Paper
	Guided       = backward.Guided
	Gradient     = backward.Gradient
	PaperLRNGrad = backward.PaperLRNGrad
	PaperLeaky   = backward.PaperLeaky
)

// Rules lists all rules.
func Rules() []Rule { return backward.Rules() }

// ParseRule reads a rule's name.
func ParseRule(s string) (Rule, error) { return backward.ParseRule(s) }
