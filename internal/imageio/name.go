package imageio

import (
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FileName is the name of a layer, class or image as a file name. Only what file
// systems refuse is changed: separators, control characters, and on Windows a few
// more.
func FileName(name string) string {
	refused := "/"
	if runtime.GOOS == "windows" {
		refused = `/\:*?"<>|`
	}
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(refused, r) || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, name)
	// File systems take 255 bytes, of which extensions and temporary names need some.
	for len(name) > 200 {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}
