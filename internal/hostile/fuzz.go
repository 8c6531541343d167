package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Variable is the environment variable by which a target tries many inputs that are drawn without looking at what code
// they reach: a Plan.
const Variable = "VIZ_FUZZ_PLAN"

// Plan says which inputs a target tries. Which input has which number depends on the seed and the corpus only.
type Plan struct {
	Seed    uint64
	From    int           // number of the first input
	Count   int           // of inputs at most; 0: no limit
	For     time.Duration // of trying at most; 0: no limit
	Corpus  string        // folder of inputs that were kept, beside those of the target itself
	Careful bool          // each input is in testdata while it is tried: to find one that kills the process
}

func (p Plan) String() string {
	return fmt.Sprintf("%d %d %d %v %v %s", p.Seed, p.From, p.Count, p.For, p.Careful, p.Corpus)
}

// ParsePlan reads what String wrote.
func ParsePlan(text string) (p Plan, err error) {
	f := strings.SplitN(text, " ", 6)
	if len(f) < 6 {
		return p, fmt.Errorf("%s=%q: want a seed, a number, a count, a time, true or false, and a folder", Variable, text)
	}
	var errs [5]error
	p.Seed, errs[0] = strconv.ParseUint(f[0], 10, 64)
	p.From, errs[1] = strconv.Atoi(f[1])
	p.Count, errs[2] = strconv.Atoi(f[2])
	p.For, errs[3] = time.ParseDuration(f[3])
	p.Careful, errs[4] = strconv.ParseBool(f[4])
	p.Corpus = f[5]
	for _, e := range errs {
		if e != nil {
			return p, fmt.Errorf("%s=%q: %w", Variable, text, e)
		}
	}
	return p, nil
}

// Fuzz is f.Fuzz for a function of a testing.TB and an input. In a test that is not short it then tries a few inputs more,
// always the same; with Variable, those of the plan.
func Fuzz(f *testing.F, target any) {
	f.Helper()
	fn := reflect.ValueOf(target)
	in := []reflect.Type{reflect.TypeFor[*testing.T]()}
	for i := 1; i < fn.Type().NumIn(); i++ {
		in = append(in, fn.Type().In(i))
	}
	var corpus [][]any
	seed := func(args []reflect.Value) []reflect.Value {
		if !Fuzzing() {
			corpus = append(corpus, values(args[1:]))
		}
		fn.Call(args)
		return nil
	}
	f.Fuzz(reflect.MakeFunc(reflect.FuncOf(in, nil, false), seed).Interface())
	if Fuzzing() || f.Failed() || len(corpus) == 0 {
		return
	}
	r := &round{tb: f, plan: Plan{Seed: 1, Count: 100}, target: fn, folder: filepath.Join("testdata", "fuzz", f.Name())}
	text, planned := os.LookupEnv(Variable)
	if planned {
		var err error
		if r.plan, err = ParsePlan(text); err != nil {
			f.Fatal(err)
		}
		r.planned, r.most = true, most
	} else if testing.Short() {
		return
	}
	kept, err := readCorpus(r.plan.Corpus, in[1:])
	if err != nil {
		f.Fatal(err)
	}
	r.from = newMutator(r.plan.Seed, append(corpus, kept...))
	if failed := r.run(); failed != "" {
		f.Fatal(failed)
	}
}

func values(args []reflect.Value) (list []any) {
	for _, v := range args {
		list = append(list, v.Interface())
	}
	return list
}
