package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deconvnet/viz/internal/campaign"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"google.golang.org/protobuf/encoding/protowire"
)

// hostile are names that do something where they are taken for more than names.
var hostile = []string{
	"\x1b]0;owned\a\x1b[2J\x1b[31mred",                      // a terminal's title, screen and colour
	"\u009b31m\u0090q\x7f\b\b\b\rover",                      // the same in eight bits, and over what was written
	"<script>alert(1)</script><img src=x onerror=alert(2)>", // HTML
	"\"' onmouseover=alert(3) x='",                          // out of an attribute
	"--></style></title><svg onload=alert(4)>{{.}}",         // out of a comment, a style, a title
	"=cmd|' /C calc'!A1",                                    // a spreadsheet
	"+1+1", "-2+3", "@SUM(A1)", "\t=1+1",
	"two\nlines\nviz: hint: run rm", // a message
	"\xff\xfe\x80 no UTF-8",
	"\u202egpj.exe\u2066\u200f", // the direction of writing
	"../../../escaped", "..", ".",
	"--out=/tmp/escaped", "-rf",
	"a\x00b",
	strings.Repeat("long ", 800),
	`"}],"x":[{"`, // JSON
	"%s%n%d${HOME}$(id)`id`",
	"javascript:alert(5)",
	"",
}

// benign are as many names that do nothing.
func benign() (out []string) {
	for i := range hostile {
		out = append(out, fmt.Sprint("name", i))
	}
	return out
}

// material is what a run reads: a network whose classes and layers have names, and a picture file.
type material struct {
	net, onnx, picture, data, list string // files and folders, by name in the run's folder
}

// make writes networks, pictures and a list with names, of which the first are turned by so many.
func makeInputs(dir string, names []string, turn int) (material, error) {
	at := func(i int) string { return names[(i+turn)%len(names)] }
	m := material{net: "net.bin", onnx: "net.onnx", data: "data", list: "list.yaml"}
	classes := make([]string, 5)
	for i := range classes {
		classes[i] = at(i)
	}
	net, err := model.Build("small", model.ArchOptions{Input: model.Input{C: 3, H: 32, W: 32}, Classes: classes, Width: 0.1, Seed: 1})
	if err != nil {
		return m, err
	}
	rename(net, at)
	net.Origin = model.Origin{Source: at(5), Data: "shapes", Tool: at(6), Command: at(7), Notes: []string{at(8)}}
	if err := model.Save(filepath.Join(dir, m.net), net, nil); err != nil {
		return m, err
	}
	if err := writeONNX(filepath.Join(dir, m.onnx), net, at); err != nil {
		return m, err
	}
	m.picture = fileName(at(0)) + ".png"
	if err := picture(filepath.Join(dir, m.picture), 0); err != nil {
		return m, err
	}
	for i := range 2 {
		for j := range 4 {
			class := filepath.Join(dir, m.data, fmt.Sprint(i, fileName(at(i+1))))
			if err := os.MkdirAll(class, 0o777); err != nil {
				return m, err
			}
			if err := picture(filepath.Join(class, fmt.Sprint(j, fileName(at(j)))+".png"), i+j); err != nil {
				return m, err
			}
		}
	}
	list := "trials:\n"
	for i := range 2 {
		list += fmt.Sprintf("  - {name: %s, arch: lenet5, width: 0.1, batch: 4, steps: 2}\n", yamlText(fmt.Sprint(i, at(i))))
	}
	return m, os.WriteFile(filepath.Join(dir, m.list), []byte(list), 0o666)
}

// yamlText is a text as YAML quotes it.
func yamlText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x20 || r == '"' || r == '\\' || r >= 0x7f {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

// fileName is a name as far as the system takes it for a file.
func fileName(name string) string {
	name = strings.NewReplacer("/", "%", "\x00", "%").Replace(name)
	if len(name) > 200 {
		name = name[:200]
	}
	if strings.Trim(name, ".") == "" {
		name += "_"
	}
	return name
}

// rename gives the layers of a network names, where the network allows them.
func rename(net *model.Network, at func(int) string) {
	names := map[string]string{}
	for i := range net.Nodes {
		if i%2 == 0 {
			names[net.Nodes[i].Name] = fmt.Sprint(at(i), i)
		}
	}
	for i := range net.Nodes {
		n := &net.Nodes[i]
		for j, in := range n.Inputs {
			if name, ok := names[in]; ok {
				n.Inputs[j] = name
			}
		}
		if name, ok := names[n.Name]; ok {
			n.Name = name
		}
	}
	if name, ok := names[net.Logits]; ok {
		net.Logits = name
	}
}

// writeONNX writes the network as ONNX, with names in the fields that say who made it: a later field counts.
func writeONNX(path string, net *model.Network, at func(int) string) error {
	if err := onnx.Export(path, net, 0); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var more []byte
	for i, field := range []protowire.Number{2, 3, 4, 6} { // producer, its version, domain, text
		more = protowire.AppendBytes(protowire.AppendTag(more, field, protowire.BytesType), []byte(at(i)))
	}
	for i := range 3 { // properties
		var p []byte
		p = protowire.AppendBytes(protowire.AppendTag(p, 1, protowire.BytesType), []byte(at(i)))
		p = protowire.AppendBytes(protowire.AppendTag(p, 2, protowire.BytesType), []byte(at(i+1)))
		more = protowire.AppendBytes(protowire.AppendTag(more, 14, protowire.BytesType), p)
	}
	_, err = f.Write(more)
	return err
}

func picture(path string, k int) error {
	return campaign.WritePNG(path, 40, 36, func(i int) (r, g, b uint8) { return uint8(6 * (i % 40)), uint8(40 * k), uint8(i / 9) })
}
