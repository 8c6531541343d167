package sweep

import (
	"math"
	"testing"
	"time"

	"github.com/deconvnet/viz/model/train"
)

// TestSpeed: speeds are of training alone, without the time that measuring accuracy takes, by the caller's clock.
func TestSpeed(t *testing.T) {
	now := time.Unix(1000, 0)
	o := Options{Now: func() time.Time { return now }}
	r := &Run{}
	meter, clock := o.newMeter(50), stopwatch{r: r, last: now, images: 50, busy: true}
	if !math.IsNaN(r.Speed()) {
		t.Errorf("speed before any step: %v", r.Speed())
	}
	var p Progress
	for _, step := range []struct {
		seconds  float64
		images   int
		measured bool
	}{
		{1, 150, false}, // the first takes in the memory, and does not count
		{2, 350, false},
		{90, 450, true}, // accuracy was measured
		{3, 550, false}, // this time may be part of what followed the measurement
		{1, 650, false},
	} {
		now = now.Add(time.Duration(step.seconds * float64(time.Second)))
		report := train.Report{Images: step.images}
		if step.measured {
			report.Test = &train.Score{}
		}
		p = meter.report(report)
		clock.report(now, step.images, step.measured)
	}
	if r.Measured != [2]float64{300, 3} || r.Speed() != 100 {
		t.Errorf("measured %v, want 300 images in 3 s", r.Measured)
	}
	if p.Elapsed != 97*time.Second || p.Speed < 80 || p.Speed > 100 {
		t.Errorf("%v images a second after %v", p.Speed, p.Elapsed)
	}
	now = now.Add(time.Hour)
	meter.pause()
	now = now.Add(time.Second)
	if again := meter.report(train.Report{Images: 750}); math.Abs(again.Speed-p.Speed) > 10 {
		t.Errorf("a pause of an hour: %v images a second, before %v", again.Speed, p.Speed)
	}
	if silent := (Options{}).newMeter(0).report(train.Report{Images: 5}); silent.Speed != 0 {
		t.Errorf("without a clock: %v images a second", silent.Speed)
	}
}

// TestClockSetBack: a clock that goes backwards delays no checkpoint, and gives no negative times.
func TestClockSetBack(t *testing.T) {
	now := time.Unix(100000, 0)
	o := Options{Now: func() time.Time { return now }}
	save, meter, r := o.newSaving(), o.newMeter(0), &Run{}
	clock := stopwatch{r: r, last: now}
	now = now.Add(time.Second)
	clock.report(now, 10, false)
	if save.due() {
		t.Error("a checkpoint is due after a second")
	}
	now = now.Add(-time.Hour)
	if !save.due() {
		t.Error("no checkpoint is due after the clock was set back by an hour")
	}
	save.done()
	now = now.Add(29 * time.Second)
	if save.due() {
		t.Error("a checkpoint is due 29 seconds after the last")
	}
	now = now.Add(time.Second)
	if !save.due() {
		t.Error("no checkpoint is due 30 seconds after the last")
	}
	if p := meter.report(train.Report{Images: 50}); p.Elapsed < 0 || p.Speed < 0 {
		t.Errorf("%v images a second after %v", p.Speed, p.Elapsed)
	}
	clock.report(now, 20, false)
	if r.Measured != [2]float64{10, 1} {
		t.Errorf("measured %v, want 10 images in 1 s", r.Measured)
	}
}
