package web

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// fetch asks as the page does.
func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// TestAnswers: every address answers, and what is wrong is said in a sentence.
func TestAnswers(t *testing.T) {
	_, server := testServer(t, nil)
	for _, path := range []string{"/", "/assets/app.js", "/assets/style.css", "/favicon.ico", "/api/state", "/api/graph", "/api/graph?open=conv1", "/api/pictures",
		"/api/thumb?image=3", "/api/original?image=3", "/api/input?image=3", "/api/classes?image=3&class=ring", "/api/maps?image=3&layer=2", "/api/maps?image=3&layer=fc1&scale=map",
		"/api/tiles?image=3&layer=2", "/api/map?image=3&layer=2&map=5", "/api/map?layer=input&map=2", "/api/unit?image=3&unit=relu2:5:3:3&rule=guided",
		"/api/spot?image=3&y=2&x=30&patch=4x6&soft=1&fill=blur", "/api/colors", "/api/index?layer=2", "/api/methods", "/api/scan?image=3&stride=8", "/api/loss?image=3&stride=8"} {
		if code, body := fetch(t, server.URL+path); code != 200 || body == "" {
			t.Errorf("%s: %d %.200s", path, code, body)
		}
	}
	for path, want := range map[string]string{
		"/api/maps?layer=relu9":                    "relu9",
		"/api/maps?layer=relu2&scale=tile":         "scale tile: want layer or map",
		"/api/map?layer=relu2&map=99":              "layer relu2 has maps 0 to 31",
		"/api/unit?unit=relu2:99:0:0":              "relu2",
		"/api/unit?unit=relu2:1:0:0&rule=x":        "rule",
		"/api/spot?patch=40":                       "patch 40: a patch 40 pixels high does not fit into an input of 32",
		"/api/spot?y=-1":                           "y -1: want a whole number from 0",
		"/api/spot?fill=beige":                     "fill",
		"/api/classes?image=99":                    "there is no picture 99",
		"/api/classes?image=../../etc/passwd":      "image ../../etc/passwd: want a whole number from 0",
		"/api/classes?net=1":                       "net 1: there are 1",
		"/api/classes?class=unicorn":               "unicorn",
		"/api/mask?mask=1234":                      "mask 1234: is not kept any more",
		"/api/figure?kind=occlusion&mask=x&as=png": "mask x: is not kept any more",
		"/api/figure?kind=party":                   "party: there is no such figure",
		"/api/figure?kind=filters&as=gif":          "gif: want png, npy or json",
		"/api/figure?kind=top&layer=2&as=png":      "have not been scanned",
	} {
		code, body := fetch(t, server.URL+path)
		var e problemBody
		if err := json.Unmarshal([]byte(body), &e); err != nil || code < 400 || code >= 500 || !strings.Contains(e.Error, want) {
			t.Errorf("%s: %d %s, want %q", path, code, body, want)
		}
	}
}
