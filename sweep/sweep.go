// Package sweep trains networks on data sets: one into a checkpoint with a log, or a list of them in a folder, where
// finished runs are not done again and interrupted ones resume; and it reports on them with figures and tables.
//
//	sets, _, err := sweep.Split{HoldOut: 0.1}.Of(data)                 // data from images.OpenData
//	images, err := sets.Decode(ctx, engine, net, nil, sweep.Options{}) // once, for all trainings
//	t := sweep.Training{Net: net, Images: images, Options: o, Out: "ckpt.bin"}
//	result, err := t.Run(ctx, engine, sweep.Options{Now: time.Now})
//
// The package reads no clock and prints nothing: both come from the caller, as Options.
package sweep

import (
	"fmt"
	"math"
	"time"

	"github.com/deconvnet/viz/model/train"
)

// Options are what the program around gives. The zero value is silent, and measures no time.
type Options struct {
	Now  func() time.Time  // the clock that speeds are measured by
	Note func(text string) // is told what a user may want to know
	// Progress is asked at the beginning of a long piece of work; step, which may be nil, is told how far it is.
	Progress func(what string) (step func(done, total int), end func())
	// Live is asked at the beginning of a training that has seen that many images; show is told how it goes.
	Live func(images int) (show func(Progress), end func())
	// SaveEvery is the time after which a training writes its checkpoint besides when its options say so; 0: 30 s.
	// It needs Now.
	SaveEvery time.Duration
	Tool      string // what checkpoints and pages are said to be made by
	Command   string // and the command line that did
}

func (o Options) note(format string, args ...any) {
	if o.Note != nil {
		o.Note(fmt.Sprintf(format, args...))
	}
}

func (o Options) progress(what string) (step func(done, total int), end func()) {
	if o.Progress == nil {
		return nil, func() {}
	}
	return o.Progress(what)
}

func (o Options) live(images int) (show func(Progress), end func()) {
	if o.Live == nil {
		return func(Progress) {}, func() {}
	}
	return o.Live(images)
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Time{}
	}
	return o.Now()
}

// saving says when time asks for a checkpoint.
type saving struct {
	o    Options
	last time.Time // when one was written
}

func (o Options) newSaving() *saving {
	if o.SaveEvery == 0 {
		o.SaveEvery = 30 * time.Second
	}
	return &saving{o, o.now()}
}

// due is true also after a clock was set back, which says nothing of the time since.
func (s *saving) due() bool {
	d := s.o.now().Sub(s.last)
	return d >= s.o.SaveEvery || d < 0
}

func (s *saving) done() { s.last = s.o.now() }

// Progress is how a training goes.
type Progress struct {
	train.Report
	Speed   float64 // training images per second, smoothed; 0: not known
	Elapsed time.Duration
}

// meter measures the speed of a training, without the time that measuring accuracy takes.
type meter struct {
	now          func() time.Time
	start, since time.Time
	images       int
	rate         float64
}

func (o Options) newMeter(images int) *meter {
	m := &meter{now: o.now, images: images}
	m.start = m.now()
	m.since = m.start
	return m
}

func (m *meter) report(r train.Report) Progress {
	now := m.now()
	if d := now.Sub(m.since).Seconds(); d > 0 {
		// The report with a measurement comes after it, so its time would count as training's.
		if measured := r.Train != nil || r.Test != nil; !measured || m.rate == 0 {
			rate := float64(r.Images-m.images) / d
			if m.rate == 0 {
				m.rate = rate
			}
			m.rate += float64(0.2 * (rate - m.rate))
		}
	}
	m.since, m.images = now, r.Images
	return Progress{Report: r, Speed: m.rate, Elapsed: max(0, now.Sub(m.start))}
}

// pause leaves out the time since the last report.
func (m *meter) pause() { m.since = m.now() }

// SettingError is a setting that cannot be, of a network or a training, which Err names.
type SettingError struct {
	Err    error
	Advice string
}

func (e *SettingError) Error() string { return e.Err.Error() }
func (e *SettingError) Unwrap() error { return e.Err }

// Hint says what can be done; it may be empty.
func (e *SettingError) Hint() string { return e.Advice }

// setting is a SettingError without advice.
func setting(format string, args ...any) error {
	return &SettingError{Err: fmt.Errorf(format, args...)}
}

// TooLarge says that images or features do not fit into memory.
type TooLarge struct {
	What   string // "60000 images of 3x224x224 take 8613 MB in memory"
	Advice string
}

func (e *TooLarge) Error() string { return e.What }

// Hint says what can be done.
func (e *TooLarge) Hint() string { return e.Advice }

// finite is v as JSON has it: without infinities and NaN.
func finite(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}
