package classes

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decode returns text as UTF-8 with \n at the ends of lines: byte order marks
// are taken off, UTF-16 is read if a mark says so.
func decode(text []byte) (string, error) {
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")):
		text = utf16Bytes(text[2:], func(a, b byte) uint16 { return uint16(a) | uint16(b)<<8 })
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
		text = utf16Bytes(text[2:], func(a, b byte) uint16 { return uint16(b) | uint16(a)<<8 })
	default:
		text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return "", fmt.Errorf("byte %d is 0: this is no text", i)
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n < 2 {
			return "", fmt.Errorf("byte %d is not UTF-8: save the file as UTF-8", i)
		}
		i += n
	}
	s := strings.ReplaceAll(string(text), "\r\n", "\n")
	return strings.ReplaceAll(s, "\r", "\n"), nil
}

func utf16Bytes(b []byte, unit func(a, b byte) uint16) []byte {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = unit(b[2*i], b[2*i+1])
	}
	return []byte(string(utf16.Decode(units)))
}
