package sweep

import "testing"

// What is wrong with a list of trials is said without the names of Go's types.
func TestTrialsInPlainWords(t *testing.T) {
	for text, want := range map[string]string{
		"trials:\n  - {name: a, colour: 3}\n": "line 2: there is no setting colour",
		"other: 3\ntrials: []\n":              "line 1: there is no setting other",
		"trials:\n  - {steps: many}\n":        "line 2: many: want a whole number",
		"trials:\n  - {rate: [1]}\n":          "line 2: want a number",
		"trials:\n  - {seed: -1}\n":           "line 2: -1: want a whole number",
		"trials:\n  - {arch: [a]}\n":          "line 2: want a word",
		"trials: 3\n":                         "line 1: 3: want a list",
		"trials: [3]\n":                       "line 1: 3: want settings",
		"3\n":                                 "line 1: 3: want settings",
	} {
		if _, err := parseTrials([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
