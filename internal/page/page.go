// Package page makes the HTML pages that viz writes: one style, one head, one way to show numbers and
// pictures.
//
//	html, err := page.HTML("demo", data) // the template demo.html, with its data
package page

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"

	"github.com/deconvnet/viz/internal/render"
)

//go:embed *.html
var files embed.FS

// HTML fills in the template of the given name. All names and texts in data are escaped.
func HTML(name string, data any) ([]byte, error) {
	t, err := template.New("pages").Funcs(template.FuncMap{
		"number":  number,
		"percent": func(v float64) string { return fmt.Sprintf("%.1f %%", v) },
		"share":   func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) },
		"inc":     func(i int) int { return i + 1 },
	}).ParseFS(files, "*.html")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.ExecuteTemplate(&out, name, data)
	return out.Bytes(), err
}

// number writes a number with the digits that matter.
func number(v any) string {
	switch v := v.(type) {
	case float32:
		return render.Number(float64(v))
	case float64:
		return render.Number(v)
	}
	return fmt.Sprint(v)
}

// Inline is a picture as an address that holds it, for pages in one file.
func Inline(img image.Image) (template.URL, error) {
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return "", err
	}
	return PNG(out.Bytes()), nil
}

// PNG is the content of a PNG file as an address that holds it.
func PNG(file []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(file))
}
