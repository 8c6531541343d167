package main

import (
	"fmt"
	"time"

	"github.com/deconvnet/viz/internal/cmdline"
	"github.com/deconvnet/viz/view"
)

// predict says how long the scan would take on this and more machines.
func (s *featureScan) predict(session *view.Session) error {
	start := time.Now()
	s.prediction.Clock = func() float64 { return time.Since(start).Seconds() }
	s.request.Readers = max(s.Workers, 2)
	p, err := session.Predict(s.Context, s.prediction, s.request, s.src)
	if err != nil {
		return cmdline.RequestErr(err)
	}
	if s.JSON {
		return s.PrintJSON(p)
	}
	head, rows := p.Text()
	fmt.Fprintln(s.Stdout, cmdline.Plain(head))
	return cmdline.RightRows(s.Stdout, rows, 2)
}
