package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/internal/classes"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/tensor"
	"github.com/urfave/cli/v2"
)

func evalCommand() *cli.Command {
	return &cli.Command{
		Name: "eval", Usage: "measure accuracy, loss and confusion on a labelled data set",
		UsageText: "viz eval [flags]",
		Description: "Classes of the data are found among the network's by name: their order and number may differ. Where one\n" +
			"side has no names they are compared by number if there are as many. JSON: confusion[i][j] counts images of\n" +
			"class i that were taken for class j, both in the network's numbering, whose names are in classes.\n\n" +
			examples("viz eval --model ckpt.bin --data cifar10", "viz eval --model shapes --data shapes --split test --json"),
		Flags:  []cli.Flag{modelFlag, dataFlag, splitFlag, limitFlag, seedFlag, byNumberFlag, jsonFlag, quietFlag, workersFlag},
		Action: eval,
	}
}

// evaluation is the JSON form of viz eval. Dropout is off.
type evaluation struct {
	Model     string   `json:"model"`
	Data      string   `json:"data"`
	Images    int      `json:"images"`
	Correct   int      `json:"correct"`
	Accuracy  float64  `json:"accuracy"`
	Loss      float64  `json:"loss"`      // mean cross entropy, natural logarithm; of sigmoids, the mean over them
	Classes   []string `json:"classes"`   // the network's
	Confusion [][]int  `json:"confusion"` // [true][predicted], both as the network numbers its classes
}

func eval(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage("viz eval takes no arguments, got "+c.Args().First(), "name the data with --data")
	}
	net, _, err := loadModel(c, false)
	if err != nil {
		return err
	}
	src, err := openSource(c, net, nil, true)
	if err != nil {
		return err
	}
	if modelName(c) == "" && !c.Bool("by-number") {
		if src, err = builtinFor(c, src); err != nil {
			return err
		}
		net = src.Net
	}
	if _, err := classScores(net); err != nil {
		return err
	}
	src, to, err := matchClasses(c, src)
	if err != nil {
		return err
	}
	engine := model.NewEngine(c.Int("workers"))
	defer engine.Close()
	step, end := progress(c, "evaluating")
	bad, err := newFailures(c, src.List)
	if err != nil {
		return err
	}
	r, err := evaluate(c.Context, engine, net, src, bad, step)
	end()
	if err != nil {
		return err
	}
	if r.Images > 0 {
		if err := printEvaluation(c, net, to, r); err != nil {
			return err
		}
	}
	return bad.err()
}

// printEvaluation prints accuracy, loss and confusion, with a row for each class of the data.
func printEvaluation(c *cli.Context, net *model.Network, to *classes.Mapping, r *evaluation) error {
	if c.Bool("json") {
		return printJSON(c, r)
	}
	fmt.Fprintf(c.App.Writer, "images %d  accuracy %.4f  loss %.4f\n\n", r.Images, r.Accuracy, r.Loss)
	if len(r.Confusion) > 40 {
		note(c, "%d classes: --json gives the confusion", len(r.Confusion))
		return nil
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "true \\ predicted\t")
	for i := range r.Confusion[0] {
		fmt.Fprintf(w, "%d\t", i)
	}
	fmt.Fprintln(w, "recall\t")
	for i, row := range r.Confusion {
		if len(to.To) > 0 && !slices.Contains(to.To, i) {
			continue // a class that the data does not have
		}
		total := 0
		fmt.Fprintf(w, "%d %s\t", i, net.Class(i))
		for _, n := range row {
			fmt.Fprintf(w, "%d\t", n)
			total += n
		}
		if total > 0 {
			fmt.Fprintf(w, "%.3f", float64(row[i])/float64(total))
		}
		fmt.Fprintln(w, "\t")
	}
	return w.Flush()
}

// classScores reads a network's scores, which are those of classes.
func classScores(net *model.Network) (*model.Reading, error) {
	r, err := net.Classifier()
	if err == nil && r.Kind == model.RawScores {
		return nil, hinted(fmt.Errorf("the outputs of network %s are values, not scores of classes", net.Name), "--scores logits if they are")
	}
	return r, err
}

// evaluate runs all inputs of a labelled source. Images that cannot be read are left out and told to bad.
func evaluate(ctx context.Context, engine *model.Engine, net *model.Network, src *images.Inputs, bad *failures, step func(done, total int)) (*evaluation, error) {
	reading, err := classScores(net)
	if err != nil {
		return nil, err
	}
	k, size := reading.Labels(), reading.Shape.Len()
	r := &evaluation{Model: hash(net), Data: src.From, Classes: net.Classes}
	for range k {
		r.Confusion = append(r.Confusion, make([]int, k))
	}
	plan, err := engine.Compile(net, model.Keep{Layers: []string{net.Logits}, Fast: true})
	if err != nil {
		return nil, err
	}
	batch := plan.Batch(256<<20, 100)
	in := net.Input
	pixels := in.C * in.H * in.W
	x := tensor.New(batch, in.C, in.H, in.W)
	var loss float64
	for at := 0; at < src.Len(); at += batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(batch, src.Len()-at)
		errs := make([]error, n)
		engine.Kernel().For(n, func(i int) { errs[i] = src.Input(at+i, x.Data[i*pixels:(i+1)*pixels]) })
		for i, err := range errs {
			if err != nil {
				if err := bad.add(err); err != nil {
					return nil, err
				}
				clear(x.Data[i*pixels : (i+1)*pixels])
				continue
			}
			if l := src.Items[at+i].Label; l < 0 || l >= k {
				return nil, fmt.Errorf("%s has label %d, the network has %d classes", src.Items[at+i].Name, l, k)
			}
		}
		t, err := plan.Run(x.Slice(0, n))
		if err != nil {
			return nil, err
		}
		for i := range n {
			if errs[i] != nil {
				continue
			}
			r.Images++
			scores := t.Value(net.Logits).Data[i*size : (i+1)*size]
			label, best := src.Items[at+i].Label, reading.Predict(scores)
			r.Confusion[label][best]++
			if label == best {
				r.Correct++
			}
			loss += reading.Loss(scores, label)
		}
		if step != nil {
			step(at+n, src.Len())
		}
	}
	if r.Images > 0 {
		r.Accuracy = float64(r.Correct) / float64(r.Images)
		r.Loss = loss / float64(r.Images)
	}
	return r, nil
}
