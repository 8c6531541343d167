package classes

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/deconvnet/viz/internal/hostile"
)

func utf16Text(s string, big bool) string {
	out := []byte("\xff\xfe")
	if big {
		out = []byte("\xfe\xff")
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return string(out)
}

// TestParse reads the same three names from files as other programs write them.
func TestParse(t *testing.T) {
	rgb := "red,green,blue"
	for _, k := range []struct{ name, file, text, want string }{
		{"lines", "l.txt", "red\ngreen\nblue", rgb},
		{"blank last lines", "l.txt", "red\ngreen\nblue\n\n \n", rgb},
		{"Windows", "l.txt", "\xef\xbb\xbfred\r\ngreen\r\nblue\r\n", rgb},
		{"old Mac", "l.txt", "red\rgreen\rblue\r", rgb},
		{"UTF-16", "l.txt", utf16Text("red\r\ngreen\r\nblaß🦊\r\n", false), "red,green,blaß🦊"},
		{"UTF-16 big endian", "l.txt", utf16Text("red\ngreen\nblue", true), rgb},
		{"colons, any order", "l.txt", "2: blue\n0: red\n1: green\n", rgb},
		{"blanks", "l.txt", "0 red\n1 green\n2 blue", rgb},
		{"Teachable Machine", "labels.txt", "0 Class 1\n1 Class 2\n", "Class 1,Class 2"},
		{"commas", "l.csv", "0,red\n1,green\n2,blue", rgb},
		{"commas in names", "l.txt", "0,tench, Tinca tinca\n1,goldfish\n", "tench, Tinca tinca|goldfish"},
		{"from 1", "l.txt", "1. red\n2. green\n3. blue", rgb},
		{"comment before", "l.txt", "# my classes\n0: red\n1: green\n2: blue", rgb},
		{"lines of a dict", "l.txt", "'0': 'red',\n'1': 'green',\n'2': \"blue\"", rgb},
		{"Python's dict", "l.txt", "{0: 'red',\n 1: \"green\",\n 2: 'blue'}", rgb},
		{"Python's dict to numbers", "l.txt", "{'red': 0, 'blue': 2, 'green': 1}", rgb},
		{"numbers in names", "l.txt", "20 km/h\n30 km/h\n50 km/h", "20 km/h,30 km/h,50 km/h"},
		{"numbers in names from 1", "l.txt", "1 euro\n2 euro\n5 euro", "1 euro,2 euro,5 euro"},
		{"only numbers", "l.txt", "1\n10\n2", "1,10,2"},
		{"WordNet", "synset_words.txt", "n01440764 tench, Tinca tinca\nn01443537 goldfish", "tench, Tinca tinca|goldfish"},
		{"WordNet numbers", "synsets.txt", "n01440764\nn01443537\n", "n01440764,n01443537"},
		{"WordNet with numbers", "map_clsloc.txt", "n01443537 2 goldfish\nn01440764 1 tench\n", "tench,goldfish"},
		{"tabs", "l.tsv", "0\tred\n1\tgreen\n2\tblue", rgb},
		{"heading", "l.csv", "ClassId,SignName\n1,green\n0,red\n2,\"blue\"\n", rgb},
		{"heading, more columns", "l.csv", "index,mid,display_name\n0,/m/0,red\n1,/m/1,\"green, dark\"\n", "red|green, dark"},
		{"heading, two numbers", "l.csv", "id,weight,name\n0,2,red\n1,1,green\n", "red,green"},
		{"heading of one column", "l.csv", "name\nred\ngreen\nblue\n", rgb},
		{"semicolons", "l.csv", "name;id\nred;0\nblue;2\ngreen;1\n", rgb},
		{"JSON list", "l.json", `["red", "green", "blue"]`, rgb},
		{"JSON with mark", "l.json", "\xef\xbb\xbf[\"red\", \"green\", \"blue\"]\r\n", rgb},
		{"JSON pairs", "l.json", `[["n01440764", "tench"], ["n01443537", "goldfish"]]`, "tench,goldfish"},
		{"JSON objects", "l.json", `[{"id": 2, "name": "green"}, {"id": 1, "name": "red"}]`, "red,green"},
		{"JSON numbers", "l.json", `{"1": "green", "0": "red", "2": "blue"}`, rgb},
		{"Keras' ImageNet", "imagenet_class_index.json", `{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}`, "tench,goldfish"},
		{"JSON labels", "l.json", `{"0": {"wnid": "n01440764", "label": "tench"}, "1": {"label": "goldfish"}}`, "tench,goldfish"},
		{"timm", "config.json", `{"architecture": "resnet18", "num_classes": 3, "label_names": ["red", "green", "blue"], "pretrained_cfg": {"input_size": [3, 8, 8]}}`, rgb},
		{"Hugging Face", "config.json", `{"model_type": "resnet", "id2label": {"0": "red", "1": "green", "2": "blue"}, "label2id": {"red": 5}}`, rgb},
		{"Hugging Face the other way", "config.json", `{"hidden": [1], "label2id": {"red": 0, "blue": 2, "green": 1}}`, rgb},
		{"Keras' class_indices", "class_indices.json", `{"red": 0, "green": 1, "blue": 2}`, rgb},
		{"class_indices of numbers", "class_indices.json", `{"1": 0, "10": 1, "2": 2}`, "1,10,2"},
		{"Teachable Machine's metadata", "metadata.json", `{"tfjsVersion": "1.3.1", "labels": ["red", "green"], "imageSize": 224}`, "red,green"},
		{"YOLO list", "data.yaml", "path: x\nnc: 3\nnames: ['red', 'green', 'no']\n", "red,green,no"},
		{"YOLO numbers", "coco.yaml", "train: images\nnames:\n  0: red\n  1: green\n  2: on\n", "red,green,on"},
		{"number behind", "l.txt", "red 0\ngreen 1\nblue 2", rgb},
		{"number behind, from 1, any order", "l.txt", "blue\t3\n\"red\" 1\ngreen 2", rgb},
		{"names with numbers", "l.txt", "Class 1\nClass 2\n", "Class 1,Class 2"},
		{"names with other numbers", "l.txt", "Boeing 737\nAirbus 320\n", "Boeing 737,Airbus 320"},
		{"not all lines with numbers", "l.txt", "red 0\ngreen 1\nblue", "red 0,green 1,blue"},
		{"one name with a number", "l.txt", "Level 1", "Level 1"},
		{"quoted lines", "l.txt", "\"red\"\n\"green\"\n\"blue\"", rgb},
		{"quoted with commas", "l.txt", "'red',\n'green',\n'blue'", rgb},
		{"quoted where it must be", "l.txt", "\"tench, Tinca tinca\"\ngoldfish\n\"5\"\" disk\"", "tench, Tinca tinca|goldfish|5\" disk"},
		{"quotes inside", "l.txt", "\"a\" or \"b\"\n'tis'\nc", "\"a\" or \"b\",'tis',c"},
		{"label map", "map.pbtxt", "item {\n  id: 1\n  name: 'red'\n}\nitem {\n  id: 3\n  name: 'blue'\n}\nitem {\n  id: 2\n  name: 'green'\n}\n", rgb},
		{"label map, display names", "map.pbtxt", "# Open Images\nitem: { name: \"/m/1\", id: 1; display_name: \"red\" }\nitem < name: \"green\" id: 2 keypoints { id: 7 label: \"x\" } >" +
			"\nitem { display_name: 'bl' \"ue\" id: 3 # last\n }", rgb},
		{"label map of another name", "labels.txt", "item { id: 0 name: 'it\\'s' }\nitem { id: 1 name: \"\\303\\244 \\\"b\\\"\" }", "it's|ä \"b\""},
		{"YAML list", "data.yml", "- red\n- green\n- blue\n", rgb},
	} {
		sep := ","
		if strings.Contains(k.want, "|") {
			sep = "|"
		}
		got, err := Parse(k.file, []byte(k.text))
		if err != nil || !slices.Equal(got, strings.Split(k.want, sep)) {
			t.Errorf("%s: got %q, %v, want %q", k.name, got, err, k.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, k := range []struct{ file, text, want string }{
		{"l.txt", " \r\n", "empty"},
		{"l.txt", "red\n\xff\xfe", "byte 4 is not UTF-8"},
		{"l.txt", "r\x00e\x00d\x00", "byte 1 is 0"},
		{"l.txt", "0: red\n2: green\n3: blue", "class 1 has none"},
		{"l.txt", "0: red\n1: green\n1: blue", "number 1 is given to"},
		{"l.txt", "0 red\n2 green", "class 1 has none"},
		{"l.txt", "0: red\n1:\n2: blue", "class 1 has no name"},
		{"l.txt", strings.Repeat("0: a\n", 20) + "odd", `"odd" has no number`},
		{"l.csv", "0,red,1\n1,green,0\n", "which has the numbers"},
		{"l.json", `["red", `, "not a list or object of names"},
		{"l.json", `["red", null]`, "item 1 of the list has no name"},
		{"l.json", `{"0": "red", "2": "blue"}`, "class 1 has none"},
		{"l.json", `{"a": "red"}`, `key "a"`},
		{"l.json", `{"0": {"color": "red"}}`, "class 0 has no name"},
		{"l.json", `{"red": 0, "green": 0}`, "number 0 is given"},
		{"l.json", `{"red": 7}`, "class 7 has a name"},
		{"l.json", `[{"id": 1, "name": "a"}, {"name": "b"}]`, "1 of 2 items have an id"},
		{"l.yaml", "names: &a [x]\nother: *a\n", "aliases"},
		{"l.yaml", "names: 3\n", "class 3 has a name"},
		{"l.json", `{}`, "no name"},
		{"l.txt", "red 0\ngreen 2", "class 1 has none"},
		{"m.pbtxt", "item { id: 1 name: 'a' }\nitem { id: 3 name: 'b' }", "class 2 has none"},
		{"m.pbtxt", "item { name: 'a' }", `item 1 ("a") has no id`},
		{"m.pbtxt", "item { id: -1 name: 'a' }", "item 1: id is"},
		{"m.pbtxt", "item { id: 1 }", "class 1 has no name"},
		{"m.pbtxt", "item { id: 1 name: 'a", "no quote at its end"},
		{"m.pbtxt", "item { id: 1 name: 'a'", "ends inside of item"},
		{"m.pbtxt", "item { id: 1 name: '\\377' }", "not UTF-8"},
		{"m.pbtxt", "red\ngreen", "red"},
		{"m.pbtxt", strings.Repeat("item {", 1000), "100 deep"},
	} {
		got, err := Parse(k.file, []byte(k.text))
		if err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%q: got %q, %v, want an error with %q", k.text, got, err, k.want)
		}
	}
}

func TestFit(t *testing.T) {
	thousand := ImageNet()
	got, err := Fit(thousand, 1001)
	if err != nil || len(got) != 1001 || got[0] != "background" || got[1] != thousand[0] {
		t.Errorf("1000 names for 1001 classes: %d, %v", len(got), err)
	}
	got, err = Fit(append([]string{"x"}, thousand...), 1000)
	if err != nil || len(got) != 1000 || got[0] != thousand[0] {
		t.Errorf("1001 names for 1000 classes: %d, %v", len(got), err)
	}
	if _, err := Fit([]string{"a"}, 2); err == nil || err.Error() != "1 names, the network has 2 classes" {
		t.Errorf("1 name for 2 classes: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"red\ngreen", "0: red\n1: green", "{0: 'a'}", `{"id2label": {"0": "a"}}`, "names:\n  0: a\n", "id,name\n0,a\n", "\xff\xfea\x00"} {
		for _, ext := range []string{".txt", ".csv", ".yaml"} {
			f.Add(ext, []byte(s))
		}
	}
	f.Add(".pbtxt", []byte("item {\n  id: 1\n  name: 'a'\n}\n"))
	f.Add(".yaml", []byte("a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b, *b]\n"))
	f.Add(".json", []byte(strings.Repeat("[", 500)))
	hostile.Fuzz(f, func(t testing.TB, ext string, text []byte) {
		if !slices.Contains([]string{".txt", ".csv", ".tsv", ".yaml", ".json", ".pbtxt"}, ext) {
			ext = ".txt"
		}
		var names []string
		err := hostile.ReadWithin(t, len(text), hostile.Memory(len(text))+200*len(text), func() (err error) {
			names, err = Parse("l"+ext, text)
			return err
		})
		if (err == nil) != (len(names) > 0) {
			t.Fatalf("%d names and error %v", len(names), err)
		}
		if err != nil {
			return
		}
		for _, name := range names {
			if name == "" || !utf8.ValidString(name) {
				t.Fatalf("%q: a name that is empty or no UTF-8", names)
			}
		}
		// What was read is read again from a list of JSON.
		list, err := json.Marshal(names)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("l.json", list)
		if want := plainNames(names); err == nil && !slices.Equal(again, want) || err != nil && !slices.Contains(want, "") {
			t.Fatalf("%q, written as JSON, is %q, %v", names, again, err)
		}
	})
}

func plainNames(names []string) (out []string) {
	for _, name := range names {
		out = append(out, plain(name))
	}
	return out
}

// TestManyNumbers: a long list with a gap is refused in time that grows with its length only.
func TestManyNumbers(t *testing.T) {
	var b strings.Builder
	const n = 30_000
	fmt.Fprintf(&b, "%d: x\n", n+1)
	for i := n - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "%d: x\n", i)
	}
	if _, err := Parse("l.json", []byte("["+strings.Repeat("0,", maxItems+1)+"0]")); err == nil || !strings.Contains(err.Error(), "want at most 250000") {
		t.Errorf("many items: %v", err)
	}
	_, err := Parse("l.txt", []byte(b.String()))
	if want := fmt.Sprintf("class %d has a name but class %d has none", n+1, n); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
