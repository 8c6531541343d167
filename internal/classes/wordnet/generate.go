//go:build ignore

// Generate writes imagenet.txt: the 1000 classes of ImageNet's classification challenge in the order
// that networks have them (by WordNet number), each with its words from WordNet 3.0's data.noun.
//
//	go run generate.go data.noun <ids >imagenet.txt
//
// ids has a WordNet number a line, as the first column of imagenet.txt does. data.noun is in Debian's package wordnet-base.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	words := map[string]string{}
	for line := range strings.Lines(string(text)) {
		// offset, file number, kind, number of words in hexadecimal, then each word and its sense.
		f := strings.Fields(line)
		if strings.HasPrefix(line, " ") || len(f) < 6 {
			continue // the licence
		}
		n, err := strconv.ParseInt(f[3], 16, 0)
		if err != nil {
			log.Fatal(err)
		}
		var list []string
		for i := range int(n) {
			list = append(list, strings.ReplaceAll(f[4+2*i], "_", " "))
		}
		words["n"+f[0]] = strings.Join(list, ", ")
	}
	var ids []string
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		id, _, _ := strings.Cut(in.Text(), " ")
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if words[id] == "" {
			log.Fatalf("no %s", id)
		}
		fmt.Println(id, words[id])
	}
}
