package classes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	twelve := "1,10,11,12,2,3,4,5,6,7,8,9"
	for _, k := range []struct {
		name, data, network string
		want                []int
		note                string
	}{
		{"same", "red,green", "red,green", []int{0, 1}, ""},
		{"another order", "blue,green,red", "red,green,blue", []int{2, 1, 0}, ""},
		{"one missing", "green,red", "red,green,blue", []int{1, 0}, ""},
		{"numbers in torchvision's order", "1,2,3,4,5,6,7,8,9,10,11,12", twelve, []int{0, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2, 3}, ""},
		{"case", "Red,GREEN", "green,red", []int{1, 0}, ""},
		{"case decides only if it must", "cat,Cat", "Cat,cat", []int{1, 0}, ""},
		{"accents apart", "cafe\u0301,pa\u0302te\u0301", "pâté,café", []int{1, 0}, ""},
		{"underscores", "red_panda,bell pepper", "bell-pepper,Red Panda", []int{1, 0}, ""},
		{"zeros in front", "00,01,02", "2,1,0", []int{2, 1, 0}, ""},
		{"zeros in front, no names", "00001,00002", "0,1,2", []int{1, 2}, ""},
		{"WordNet on both sides", "n02,n01443537,n01440764", "n01440764 tench,n01443537_goldfish,n02", []int{2, 1, 0}, ""},
		{"WordNet known", "n01443537,n01440764", "tench,goldfish", []int{1, 0}, ""},
		{"WordNet of the network known", "goldfish,tench", "n01440764,n01443537", []int{1, 0}, ""},
		{"WordNet and name", "n99999999-dog,n88888888-cat", "cat,dog", []int{1, 0}, ""},
		{"data without names", "0,1,2", "red,green,blue", []int{0, 1, 2}, "the data's classes have numbers only: classes are compared by number"},
		{"network without names", "a,b,c", "0,1,2", []int{0, 1, 2}, "the network's classes have numbers only: classes are compared by number"},
		{"numbers by name although one side is 0 to 2", "0,1,2", "2,0,1", []int{1, 2, 0}, ""},
		{"folders 1 to 3, no names", "1,2,3", "0,1,2", []int{0, 1, 2}, "the network's classes have numbers only: classes are compared by number"},
		{"numbers, one missing", "0,2", "0,1,2", []int{0, 2}, ""},
		{"yes-no", "cat,dog", "dog", []int{0, 1}, ""},
		{"yes-no, other order", "dog,not dog", "dog", []int{1, 0}, ""},
	} {
		m, err := Match(strings.Split(k.data, ","), strings.Split(k.network, ","))
		if err != nil || !slices.Equal(m.To, k.want) || m.Note != k.note {
			t.Errorf("%s: got %+v, %v, want %v", k.name, m, err, k.want)
		}
	}
}

func TestMatchWords(t *testing.T) {
	m, err := Match([]string{"Tinca tinca", "hammerhead shark", "cock"}, ImageNet())
	if err != nil || !slices.Equal(m.To, []int{0, 4, 7}) {
		t.Errorf("got %+v, %v", m, err)
	}
	m, err = Match([]string{"tench, Tinca tinca", "hammerhead, hammerhead shark"}, []string{"hammerhead", "tench"})
	if err != nil || !slices.Equal(m.To, []int{1, 0}) {
		t.Errorf("words on the data's side: got %+v, %v", m, err)
	}
	// Short names, with crane twice: the WordNet number tells them apart, also behind a background class.
	short := []string{"background"}
	for _, n := range ImageNet() {
		w, _, _ := strings.Cut(n, ",")
		short = append(short, w)
	}
	for at := range 2 {
		m, err := Match([]string{"n03126707", "n02012849"}, short[1-at:])
		if err != nil || !slices.Equal(m.To, []int{517 + at, 134 + at}) {
			t.Errorf("cranes: got %+v, %v", m, err)
		}
	}
	if len(ImageNet()) != 1000 || ImageNet()[999] != "toilet tissue, toilet paper, bathroom tissue" || ImageNetIDs()[999] != "n15075141" {
		t.Error("ImageNet's names are wrong")
	}
}

func TestNoMatch(t *testing.T) {
	for _, k := range []struct {
		name, data, network string
		missing             int
		want                string
	}{
		{"other classes", "plane,car", "red,green,blue", 2, `2 of the data's 2 classes are none of the network's: "plane", "car"; the network's are "red", "green", "blue"`},
		{"one other", "red,car", "red,green", 1, `1 of the data's 2 classes are none of the network's: "car"`},
		{"one name of two classes", "crane,owl", "crane,owl,crane", 0, `"crane" could be class 0 (crane) or class 2 (crane)`},
		{"two names of one class", "cat,Cat", "cat,dog", 0, `"cat" and "Cat" both are class 0, "cat"`},
		{"no names, other count", "0,1,2", "red,green,blue,black", 3, "with names on one side only"},
		{"no names, more data", "a,b,c", "0,1", 3, "with names on one side only"},
		{"folders 1 to 12, no names", "1,2,3,4,5,6,7,8,9,10,11,12", "0,1,2,3,4,5,6,7,8,9,10,11", 12, "with names on one side only"},
		{"yes-no, neither", "cat,dog", "bird", 2, "none of the network's"},
		{"words of two", "shark", "tiger shark, shark,white shark, shark", 0, ""},
	} {
		network := strings.Split(k.network, ",")
		if k.want == "" {
			network, k.want = []string{"tiger shark, shark", "white shark, shark"}, `"shark" could be class 0`
		}
		_, err := Match(strings.Split(k.data, ","), network)
		var no *NoMatch
		if !errors.As(err, &no) || len(no.Missing) != k.missing || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s: got %v, want %d missing and %q", k.name, err, k.missing, k.want)
		}
	}
	many := make([]string, 2000)
	for i := range many {
		many[i] = fmt.Sprint(strings.Repeat("x", 4000), i)
	}
	if _, err := Match(many, []string{"a"}); err == nil || len(err.Error()) > 2000 {
		t.Errorf("an error of %d letters", len(err.Error()))
	}
	m, err := ByNumber([]string{"a", "b"}, 3)
	if err != nil || !slices.Equal(m.Labels([]int{1, 0, -1}), []int{1, 0, -1}) {
		t.Errorf("by number: %+v, %v", m, err)
	}
	if _, err := ByNumber([]string{"a", "b"}, 1); err == nil {
		t.Error("2 classes by number for a network with 1")
	}
}
