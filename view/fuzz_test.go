package view

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deconvnet/viz/internal/hostile"
	"github.com/deconvnet/viz/internal/imageio"
	"github.com/deconvnet/viz/model/builtin"
)

// FuzzFields: settings of requests, as a command or a page gives them. What is taken makes the same request again from
// its own arguments.
func FuzzFields(f *testing.F) {
	net, err := builtin.Load("shapes")
	if err != nil {
		f.Fatal(err)
	}
	all := requests()
	for i, c := range all {
		f.Add(uint8(i), c.texts)
	}
	f.Add(uint8(0), "patch=99999999999x1 stride=-1 class=1e9 at=,, position=\x1b[31m layer=relu1,\xff")
	pointers := regexp.MustCompile(`\b0x[0-9a-f]{6,}\b`)
	plain := func(r request) string { return pointers.ReplaceAllString(fmt.Sprintf("%+v", r), "pointer") }
	hostile.Fuzz(f, func(t testing.TB, which uint8, text string) {
		c := all[int(which)%len(all)]
		texts := map[string]string{}
		for pair := range strings.FieldsSeq(text) {
			name, value, _ := strings.Cut(pair, "=")
			texts[name] = value
		}
		get := func(name string) (string, bool) { text, ok := texts[name]; return text, ok }
		r := c.new()
		if hostile.Read(t, len(text), func() error {
			err := r.Fields().Set(nil, orDefault(r.Fields(), get))
			if err == nil {
				err = r.Fields().Set(net, orDefault(r.Fields(), get))
			}
			return imageio.OneLine(err)
		}) != nil {
			return
		}
		args := r.Fields().Arguments()
		again := c.new()
		err := again.Fields().Set(net, orDefault(again.Fields(), fromArguments(args)))
		if err != nil || !slices.Equal(again.Fields().Arguments(), args) || plain(again) != plain(r) {
			t.Fatalf("%s: %q gives %q %+v, and that %q %+v, %v", c.name, text, args, r, again.Fields().Arguments(), again, err)
		}
	})
}

// orDefault gives what get does not: the field's default.
func orDefault(fields Fields, get func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if text, ok := get(name); ok {
			return text, true
		}
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
		given := i >= 0 && slices.ContainsFunc(fields[i].Names(), func(older string) bool { _, ok := get(older); return ok })
		return fields[max(i, 0)].Default, i >= 0 && !given && fields[i].Default != ""
	}
}

// FuzzParts: boxes of parts of pictures. What is read is read again.
func FuzzParts(f *testing.F) {
	f.Add([]byte(`{"left eye": {"dog1.png": [1, 2, 3, 4], "dog2.png": []}}`))
	f.Add([]byte(`{"a":null,"b":{}}`))
	f.Add([]byte(strings.Repeat(`{"a":`, 200)))
	hostile.Fuzz(f, func(t testing.TB, text []byte) {
		var boxes map[string]map[string][]int
		if hostile.ReadWithin(t, len(text), hostile.Memory(len(text))+200*len(text), func() (err error) {
			boxes, err = ParseParts(text)
			return imageio.OneLine(err)
		}) != nil {
			return
		}
		out, err := json.Marshal(boxes)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseParts(out); err != nil || !reflect.DeepEqual(again, boxes) {
			t.Fatalf("%s is read as %v, %v", out, again, err)
		}
	})
}
