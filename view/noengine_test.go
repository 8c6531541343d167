package view

import (
	"testing"

	"github.com/deconvnet/viz/deconv"
	"github.com/deconvnet/viz/model/builtin"
)

// TestNoEngine: requests that run nothing need no engine.
func TestNoEngine(t *testing.T) {
	net, err := builtin.Load("shapes")
	if err != nil {
		t.Fatal(err)
	}
	s := NewSession(nil, net)
	if _, err := s.Inspect(deconv.Guided); err != nil {
		t.Error(err)
	}
	if figures, err := s.Filters(Filters{Most: 2}); err != nil || len(figures) == 0 {
		t.Error(err)
	}
	if _, err := EvolveFilters([]*Session{s, s}, FilterEvolution{Files: []string{"a", "b"}, Layers: []string{"conv1", "conv1"}, Most: 2}); err != nil {
		t.Error(err)
	}
	if _, err := s.Diagnose("shapes", []string{"conv1"}, nil, nil); err != nil {
		t.Error(err)
	}
	if err := s.CheckSheets(Sheets{}, "relu2"); err != nil {
		t.Error(err)
	}
}
