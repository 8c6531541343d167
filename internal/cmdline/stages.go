package cmdline

// Stages is the progress of work in stages, each with a line of its own.
type Stages struct {
	c     *Run
	stage string
	show  func(done, total int)
	done  func()
}

// Step tells how far a stage is.
func (s *Stages) Step(stage string, done, total int) {
	if stage != s.stage {
		s.End()
		s.stage = stage
		s.show, s.done = s.c.Progress(stage)
	}
	if s.show != nil {
		s.show(done, total)
	}
}

// End ends the last line.
func (s *Stages) End() {
	if s.done != nil {
		s.done()
	}
}

// Stages begins the progress of work in stages.
func (c *Run) Stages() *Stages { return &Stages{c: c} }
