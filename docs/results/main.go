// Command results writes docs/results.md from the results beside it, which are what viz printed with --json.
//
//	go run ./docs/results > docs/results.md
package main

import (
	"embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

//go:embed *.json *.csv
var files embed.FS

// evaluation is what viz eval --json prints.
type evaluation struct {
	Data     string  `json:"data"`
	Images   int     `json:"images"`
	Accuracy float64 `json:"accuracy"`
	Loss     float64 `json:"loss"`
}

// pointing is what viz pointing --json prints.
type pointing struct {
	Data        string  `json:"data"`
	Images      int     `json:"images"`
	Occlusion   float64 `json:"occlusion"`
	Chance      float64 `json:"chance"`
	EnergyShare float64 `json:"energy_share"`
	AreaShare   float64 `json:"area_share"`
}

// recorded is a result of work that takes hours, as it was printed then.
type recorded struct {
	What     string `json:"what"`
	Data     string `json:"data"`
	Measured string `json:"measured"`
}

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1)
	}
}

func read(name string, to any) error {
	text, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func write(w io.Writer) error {
	fmt.Fprint(w, "# Results\n\nWritten by `go run ./docs/results > docs/results.md` from the files in docs/results.\n\n"+
		"## Accuracy of the built-in networks\n\n| network | data | images | accuracy | loss |\n| --- | --- | --- | --- | --- |\n")
	for _, f := range []struct{ network, file string }{
		{"shapes", "eval-shapes.json"}, {"cifar10", "eval-cifar10-jpeg.json"}, {"cifar10", "eval-cifar10-lossless.json"}} {
		var e evaluation
		if err := read(f.file, &e); err != nil {
			return err
		}
		fmt.Fprintf(w, "| `%s` | %s | %d | %.1f %% | %.3f |\n", f.network, e.Data, e.Images, 100*e.Accuracy, e.Loss)
	}
	var p pointing
	if err := read("pointing-shapes.json", &p); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nHow they were made: [model/builtin/nets/README.md](../model/builtin/nets/README.md).\n\n## Do maps point at the object?\n\n"+
		"`viz pointing` on %d images of %s:\n\n"+
		"- The patch of lowest probability lies on the object in %.1f %% of the images (by chance: %.1f %%).\n"+
		"- %.1f %% of the energy of the strongest projection of the last layer lies on the object, which covers %.1f %% of the image.\n",
		p.Images, p.Data, 100*p.Occlusion, 100*p.Chance, 100*p.EnergyShare, 100*p.AreaShare)
	if err := believed(w); err != nil {
		return err
	}
	var rows []recorded
	if err := read("recorded.json", &rows); err != nil {
		return err
	}
	fmt.Fprint(w, "\n## Work of hours\n\nMeasured once, with the commands in [experiments.md](experiments.md).\n\n| what | data | measured |\n| --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(w, "| %s | %s | %s |\n", r.What, r.Data, r.Measured)
	}
	fmt.Fprint(w, "\n## Agreement with references\n\nActivations, switches, projections (deconv, guided, gradient) and occlusion maps of five golden networks agree with\n"+
		"float64 references within 2e-5 of the largest magnitude: `go test ./model ./deconv ./occlusion`.\n")
	return nil
}

// table reads a CSV file as viz writes it: names of columns, then rows.
func table(name string) (rows []map[string]string, err error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range line {
			if _, taken := row[lines[0][i]]; !taken { // standard errors share a name: the first column is the one before
				row[lines[0][i]] = cell
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// rounded is a number with two digits behind the point; what is none stays as it is.
func rounded(s string) string {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	return fmt.Sprintf("%.2f", v)
}

// believed are the tables of viz faithful and viz sanity.
func believed(w io.Writer) error {
	fmt.Fprint(w, "\n## Which attribution methods can be believed?\n\n`viz faithful --limit 100` on shapes; what the columns mean: [methods.md](methods.md).\n")
	if err := faithful(w, "faithful-shapes.csv", "pointing", "energy"); err != nil {
		return err
	}
	fmt.Fprint(w, "\nThe same of the network `cifar10` on 30 images of CIFAR-10's test part, by the methods of few passes:\n")
	if err := faithful(w, "faithful-cifar10.csv"); err != nil {
		return err
	}
	return sane(w)
}

// faithful is a table of viz faithful, with the measures that all data have and others.
func faithful(w io.Writer, name string, others ...string) error {
	rows, err := table(name)
	if err != nil {
		return err
	}
	measures := append([]string{"deletion", "insertion", "average drop", "increase", "sensitivity-n", "infidelity"}, others...)
	fmt.Fprint(w, "\n| method |")
	for _, m := range measures {
		fmt.Fprintf(w, " %s |", m)
	}
	fmt.Fprintln(w, "\n| --- |"+strings.Repeat(" --- |", len(measures)))
	for _, row := range rows {
		fmt.Fprintf(w, "| %s |", row["method"])
		for _, m := range measures {
			fmt.Fprintf(w, " %s ± %s |", rounded(row[m]), rounded(row[m+" standard error"]))
		}
		fmt.Fprintln(w)
	}
	return nil
}

// sane are the tables of viz sanity.
func sane(w io.Writer) error {
	fmt.Fprint(w, "\n`viz sanity --data shapes --limit 40 --permuted-labels`: rank correlation of maps (magnitudes) with those of the trained network, while weights are drawn\n"+
		"anew from the scores down:\n")
	rows, methods, err := cascades(w, "sanity-shapes.csv")
	if err != nil {
		return err
	}
	taught(w, rows, methods)
	fmt.Fprint(w, "\nThe first of these tables for the network `cifar10` on 12 images of CIFAR-10's test part:\n")
	_, _, err = cascades(w, "sanity-cifar10.csv")
	return err
}

// cascades is the table of weights drawn anew from the scores down, of all that viz sanity measured.
func cascades(w io.Writer, name string) (rows []map[string]string, methods []string, err error) {
	if rows, err = table(name); err != nil {
		return nil, nil, err
	}
	fmt.Fprint(w, "\n| method | the scores' layer | half of the layers | all but the first convolution | all |\n| --- | --- | --- | --- | --- |\n")
	cascade := map[string][]string{}
	for _, row := range rows {
		if row["weights drawn anew"] != "from the top" {
			continue
		}
		if m := row["method"]; cascade[m] == nil {
			methods = append(methods, m)
		}
		cascade[row["method"]] = append(cascade[row["method"]], row["spearman of magnitudes"])
	}
	for _, m := range methods {
		v := cascade[m]
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", m, rounded(v[0]), rounded(v[len(v)/2-1]), rounded(v[len(v)-2]), rounded(v[len(v)-1]))
	}
	return rows, methods, nil
}

// taught is what training anew leaves of the maps.
func taught(w io.Writer, rows []map[string]string, methods []string) {
	fmt.Fprint(w, "\nThe same for networks trained anew on 256 images learned by heart, with their labels and with permuted ones: rank correlation, with signs "+
		"and of magnitudes.\n\n| method | true labels | permuted labels |\n| --- | --- | --- |\n")
	for _, m := range methods {
		fmt.Fprintf(w, "| %s |", m)
		for _, row := range rows {
			if row["method"] == m && row["weights drawn anew"] == "trained anew" {
				fmt.Fprintf(w, " %s, %s |", rounded(row["spearman"]), rounded(row["spearman of magnitudes"]))
			}
		}
		fmt.Fprintln(w)
	}
}
