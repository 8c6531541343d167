package cmdline

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain is a text with nothing in it that a terminal would act on: names of classes, layers and files come from
// strangers. Control characters and bytes that are no UTF-8 are written as Go writes them, \x1b; ends of lines and tabs
// stay.
func Plain(text string) string {
	if !strings.ContainsFunc(text, acts) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case acts(r):
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// mostSaid is more than a path or name has that systems allow.
const mostSaid = 16 << 10

// said is a message for a terminal: lines after the first are indented, so that a name with ends of lines in it cannot
// pass for a message of its own. Of a very long one, in which a file has its say, the middle is left out.
func said(text string) string {
	if n := len(text) - mostSaid; n > 0 {
		begin, end := text[:mostSaid*3/4], text[len(text)-mostSaid/4:]
		text = fmt.Sprintf("%s ... (%d bytes more) ... %s", strings.ToValidUTF8(begin, ""), n, strings.ToValidUTF8(end, ""))
	}
	return strings.ReplaceAll(Plain(text), "\n", "\n     ")
}

// acts reports whether a terminal may act on a character: control characters, and those that turn the direction of
// writing.
func acts(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r)
}

// plainCell is a cell of a table in a terminal, or a name: on one line.
func plainCell(text string) string {
	return Plain(strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(text))
}

// formula reports whether a spreadsheet would take a cell for one.
func formula(cell string) bool {
	if cell == "" || !strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return false
	}
	_, err := strconv.ParseFloat(cell, 64)
	return err != nil
}

// csvRow is a row for a CSV file: a text that a spreadsheet would compute gets an apostrophe before it.
func csvRow(row []string) []string {
	out := make([]string, len(row))
	for i, cell := range row {
		if out[i] = cell; formula(cell) {
			out[i] = "'" + cell
		}
	}
	return out
}
