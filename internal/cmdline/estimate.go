package cmdline

import (
	"fmt"
	"time"
)

// Estimate says how long work on a number of images will take, from how much of the
// first is done when. Seconds are counted from the beginning of the command, so that
// what comes before the first image is a part.
type Estimate struct {
	Images   int
	finished int
	left     int     // with the one that is worked on
	begun    float64 // when
	first    float64 // when the first image was begun
	done     int     // of the first report of this image
	at       float64 // when
	since    int     // reports since then
	said     float64 // seconds in all, as they were said last; 0: they were not
	when     float64 // that was
}

const (
	estimateReports = 8   // as many are wanted, so that a part more or less makes no difference,
	estimateWait    = 15  // or so many seconds;
	estimateLeast   = 1   // never fewer.
	estimateOff     = 0.2 // of what was said, when something else is said
)

// Begin is told that an image is begun, and how many are left with it.
func (e *Estimate) Begin(left int, seconds float64) {
	if e.left == 0 {
		e.first = seconds
	} else {
		e.finished++
	}
	e.left, e.begun, e.done, e.since = left, seconds, 0, 0
}

// Report is told how much of an image is done, and returns what there is to say: how long
// all will take as soon as that is known, and again if it turns out to be a fifth more or
// less; else "".
func (e *Estimate) Report(done, total int, seconds float64) string {
	if e.done == 0 {
		e.done, e.at = done, seconds
		return ""
	}
	e.since++
	passed := seconds - e.at
	if done == e.done || passed < estimateLeast || e.since < estimateReports && passed < estimateWait {
		return ""
	}
	// The pace leaves out what comes before the first report.
	image := e.at - e.begun + passed*float64(total-e.done)/float64(done-e.done)
	all := e.begun + image*float64(e.left)
	if e.finished > 0 { // those that are finished say more, with what was written of them
		all = e.begun + image + (e.begun-e.first)/float64(e.finished)*float64(e.left-1)
	}
	words := "estimated time"
	if e.said > 0 {
		left, off := all-seconds, all/e.said-1
		if max(off, -off) < estimateOff || seconds-e.when < estimateWait || left < estimateWait {
			return ""
		}
		words = "estimated time now"
	}
	e.said, e.when = all, seconds
	if e.Images == 1 {
		return words + ": " + secondsText(all)
	}
	return fmt.Sprintf("%s: %s an image, %s in all", words, secondsText(image), secondsText(all))
}

// secondsText writes a time with as many digits as are known.
func secondsText(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.1f s", s)
	}
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}
