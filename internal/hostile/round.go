package hostile

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// round tries the inputs of a plan one after another in this process.
type round struct {
	tb      testing.TB
	plan    Plan
	target  reflect.Value
	from    *mutator
	folder  string        // for the input that fails
	planned bool          // progress is printed
	most    time.Duration // that a reader may take; 0: this is not looked at
}

// block is the most inputs whose memory and time are measured together.
const block = 4096

// run says what failed.
func (r *round) run() (failed string) {
	start, said := time.Now(), time.Now()
	done, size := 0, 1
	for (r.plan.Count == 0 || done < r.plan.Count) && (r.plan.For == 0 || time.Since(start) < r.plan.For) {
		if r.planned && time.Since(said) > 200*time.Millisecond {
			fmt.Printf("tried %d\n", done)
			said = time.Now()
		}
		if r.plan.Count > 0 {
			size = min(size, r.plan.Count-done)
		}
		began := time.Now()
		within, tried, failed := r.together(r.plan.From+done, size)
		done += tried
		if failed != "" {
			if r.planned {
				fmt.Printf("tried %d\n", done)
			}
			return failed
		}
		if !within || time.Since(began) > 100*time.Millisecond {
			size = max(size/2, 1)
		} else {
			size = min(2*size, block)
		}
	}
	if r.planned {
		fmt.Printf("tried %d\n", done)
	}
	return ""
}

// together tries inputs, and measures what they take in all: if that is within what one of them may take, each of them
// is. Otherwise they are tried again, each measured for itself.
func (r *round) together(from, count int) (within bool, tried int, failed string) {
	if r.most > 0 {
		defer time.AfterFunc(hang, func() { panic("no answer") }).Stop()
	}
	memory, start := allocated(), processor()
	least := Memory(0)
	for i := range count {
		t := &try{TB: r.tb, least: least}
		if failed := r.try(from+i, t); failed != "" {
			return true, i + 1, failed
		}
		least = t.least
	}
	if allocated()-memory <= uint64(least) && (r.most == 0 || processor()-start <= r.most) {
		return true, count, ""
	}
	for i := range count {
		if failed := r.try(from+i, &try{TB: r.tb, measured: true, most: r.most}); failed != "" {
			return false, i + 1, failed
		}
	}
	return false, count, ""
}

// try tries one input, and says what failed; it is kept then.
func (r *round) try(number int, t *try) (failed string) {
	input := r.from.input(uint64(number))
	if r.plan.Careful {
		drop := keep(r.tb, r.folder, input)
		defer func() {
			if failed == "" {
				drop()
			}
		}()
	}
	r.call(t, input)
	if len(t.said) == 0 {
		return ""
	}
	keep(r.tb, r.folder, input)
	return fmt.Sprintf("input %d of seed %d, from %d inputs:\n%s", number, r.plan.Seed, len(r.from.corpus), strings.Join(t.said, "\n"))
}

// call calls the target. A panic of it is a failure.
func (r *round) call(t *try, input []any) {
	defer func() {
		switch v := recover(); v.(type) {
		case nil, over:
		default:
			t.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	switch fn := r.target.Interface().(type) {
	case func(testing.TB, []byte):
		fn(t, input[0].([]byte))
	case func(testing.TB, string):
		fn(t, input[0].(string))
	default:
		args := []reflect.Value{reflect.ValueOf(t)}
		for _, v := range input {
			args = append(args, reflect.ValueOf(v))
		}
		r.target.Call(args)
	}
}

// try is the test of one input.
type try struct {
	testing.TB          // of the target, for what is not here
	said       []string // what failed
	least      int      // of the limits of memory that readers had
	measured   bool     // each reader is measured for itself
	most       time.Duration
}

// over ends the test of an input.
type over struct{}

func (t *try) Helper()                   {}
func (t *try) Log(...any)                {}
func (t *try) Logf(string, ...any)       {}
func (t *try) Skip(...any)               { panic(over{}) }
func (t *try) Skipf(string, ...any)      { panic(over{}) }
func (t *try) SkipNow()                  { panic(over{}) }
func (t *try) Failed() bool              { return len(t.said) > 0 }
func (t *try) Fail()                     { t.said = append(t.said, "failed") }
func (t *try) FailNow()                  { t.Fail(); panic(over{}) }
func (t *try) Error(args ...any)         { t.said = append(t.said, fmt.Sprint(args...)) }
func (t *try) Errorf(s string, a ...any) { t.said = append(t.said, fmt.Sprintf(s, a...)) }
func (t *try) Fatal(args ...any)         { t.Error(args...); panic(over{}) }
func (t *try) Fatalf(s string, a ...any) { t.Errorf(s, a...); panic(over{}) }
