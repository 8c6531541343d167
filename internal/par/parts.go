package par

import "math"

// Part is of a task: what it does alone, and then a loop in which workers without tasks take part.
type Part struct {
	Before float64
	Tasks  []float64
}

// at is where a simulated worker is in its task.
type at struct {
	task, part int
	open       float64 // when the loop of the part began
	lo, hi     int     // of its tasks, those left
	end        float64 // of those taken
	joined     map[int]bool
}

// assisted is Span for a loop of Largest whose tasks are made of parts.
type assisted struct {
	Loop
	speeds, free []float64
	now          []*at // by worker, nil without a task
	end          float64
}

func (l Loop) assistedSpan(speeds []float64) float64 {
	s := assisted{Loop: l, speeds: speeds, free: make([]float64, len(speeds)), now: make([]*at, len(speeds))}
	for next := 0; ; {
		w := s.first()
		switch {
		case w < 0:
			return s.end
		case s.now[w] != nil:
			s.proceed(w)
		case next < len(l.Tasks):
			s.now[w] = &at{task: next, part: -1}
			next++
			s.enter(w)
		default:
			s.help(w)
		}
	}
}

// first is the worker that is free first, those at a task before others; -1: all are done.
func (s *assisted) first() int {
	w := -1
	for v, t := range s.free {
		if !math.IsInf(t, 1) && (w < 0 || t < s.free[w] || t == s.free[w] && s.now[v] != nil && s.now[w] == nil) {
			w = v
		}
	}
	return w
}

// enter goes on to the next part of a worker's task, or ends it.
func (s *assisted) enter(w int) {
	a := s.now[w]
	parts := s.Parts[a.task]
	if a.part++; a.part < len(parts) {
		p := parts[a.part]
		s.free[w] += p.Before / s.speeds[w]
		a.open, a.lo, a.hi, a.end, a.joined = s.free[w], 0, len(p.Tasks), s.free[w], map[int]bool{}
		return
	}
	rest := s.Tasks[a.task]
	for _, p := range parts {
		rest -= p.Before
		for _, t := range p.Tasks {
			rest -= t
		}
	}
	s.free[w] += max(rest, 0) / s.speeds[w]
	s.end = max(s.end, s.free[w])
	s.now[w] = nil
}

// proceed takes the next task of the loop that a worker is in, or waits for those who took part.
func (s *assisted) proceed(w int) {
	a := s.now[w]
	if a.lo == a.hi {
		s.free[w] = max(s.free[w], a.end)
		s.enter(w)
		return
	}
	s.free[w] += s.Parts[a.task][a.part].Tasks[a.lo] / s.speeds[w]
	a.lo++
	a.end = max(a.end, s.free[w])
}

// help takes a task of another's loop, or waits until there may be one.
func (s *assisted) help(w int) {
	soon := math.Inf(1)
	for v, a := range s.now {
		if a == nil {
			continue
		}
		if a.lo < a.hi && a.open <= s.free[w] && (a.joined[w] || len(a.joined) < assistants) {
			a.joined[w] = true
			a.hi--
			s.free[w] += s.Parts[a.task][a.part].Tasks[a.hi] / s.speeds[w]
			a.end = max(a.end, s.free[w])
			return
		}
		soon = min(soon, s.free[v])
	}
	s.free[w] = soon
}
