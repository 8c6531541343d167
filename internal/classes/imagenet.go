package classes

import (
	_ "embed"
	"strings"
	"sync"
)

// See wordnet/generate.go, and wordnet/LICENSE for the words.
//
//go:embed wordnet/imagenet.txt
var imagenetText string

type imagenetLists struct{ ids, names []string }

var imagenet = sync.OnceValue(func() (l imagenetLists) {
	for line := range strings.Lines(imagenetText) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		l.ids, l.names = append(l.ids, id), append(l.names, name)
	}
	return l
})

// ImageNet returns the names of ImageNet's 1000 classes in the order of networks: WordNet's words, with commas
// between. The caller must not change it.
func ImageNet() []string { return imagenet().names }

// ImageNetIDs returns their WordNet numbers (n01440764). The caller must not change it.
func ImageNetIDs() []string { return imagenet().ids }

// imageNetAt is 0 if names are ImageNet's classes in their order, however short each name is; 1 if there is a
// background class before them; else -1.
func imageNetAt(names []string) int {
	at := len(names) - 1000
	if at != 0 && at != 1 {
		return -1
	}
	hits := 0
	for i, name := range names[at:] {
		for _, w := range words(ImageNet()[i]) {
			if strings.HasPrefix(loose(name), w) {
				hits++
				break
			}
		}
	}
	if hits < 900 { // some lists shorten or mend a few names
		return -1
	}
	return at
}
