package web

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/view"
)

// stranger is somebody who sees the page for the first time, and uses what is seen on it.
type stranger struct {
	*page
	clicks int
	begin  time.Time
}

// sees clicks the control that is called so.
func (s *stranger) sees(control string) {
	s.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll("a, button, [role=button], label")].find(e => { const b = e.getBoundingClientRect();
		return b.width > 0 && b.height > 0 && (e.textContent.trim().startsWith(%[1]q) || e.ariaLabel?.includes(%[1]q)) && !e.disabled; })`, control)
	s.until("a control called "+control, find)
	at := run(s.page, chromedp.Evaluate[[]float64](`(() => { const e = `+find+`; const b = (e.querySelector?.("input") ?? e.querySelector?.("rect") ?? e).getBoundingClientRect();
		const x = b.left + b.width / 2, y = b.top + b.height / 2; if (y < 0 || y > innerHeight) { e.scrollIntoView({ block: "center" }); const c = e.getBoundingClientRect(); return [c.left + c.width / 2, c.top + c.height / 2]; } return [x, y]; })()`))
	s.do(chromedp.MouseClickXY(at[0], at[1]))
	s.clicks++
}

// start opens the address that viz serve prints.
func (s *stranger) start() {
	s.clicks, s.begin = 0, time.Now()
	s.open("")
	s.until("the page", "document.querySelector('.node')")
}

// answered says how many clicks and seconds an answer took.
func (s *stranger) answered(question string) string {
	s.t.Helper()
	if s.clicks > 5 {
		s.t.Errorf("%s: %d clicks, want at most 5", question, s.clicks)
	}
	return fmt.Sprintf("%d clicks, %.1f s", s.clicks, time.Since(s.begin).Seconds())
}

// whichPart asks which part of the picture made the network say that.
func (s *stranger) whichPart() string {
	s.t.Helper()
	s.start()
	s.sees("Image")
	s.sees("Which part of the picture made it say that?")
	s.has("#spot", "Patch at row")
	s.sees("Compute the whole map")
	s.has("#scan-text", "done")
	s.until("the loss by pixel", "document.body.innerText.includes('Lowest under the patch at row')")
	return s.answered("which part")
}

// looksFor asks what a map of a layer looks for; the layer is clicked in the graph, after its group if it is in one.
func (s *stranger) looksFor(number int, clicks ...string) string {
	s.t.Helper()
	s.start()
	for _, c := range clicks {
		s.sees(c)
	}
	s.until("the map", "document.querySelector('.pair')")
	s.sees("Number") // of the map
	s.do(chromedp.KeyEvent(kb.Backspace), chromedp.KeyEvent(kb.Backspace), chromedp.KeyEvent(kb.Delete), chromedp.KeyEvent(kb.Delete), chromedp.KeyEvent(fmt.Sprint(number)), chromedp.KeyEvent(kb.Enter))
	s.has(".split", fmt.Sprintf("Map %d", number))
	s.until("the map's question", fmt.Sprintf("document.body.innerText.includes('What map %d of')", number))
	s.sees("Find its strongest activations")
	s.until("the answer", "document.querySelector('.figure')?.naturalWidth || document.body.innerText.includes('fires in none of the pictures')")
	return s.answered("what it looks for")
}

// TestStranger: with a network and a picture of one's own, two questions are answered in at most five clicks each, on
// what the page shows. With VIZ_NETS and VIZ_PHOTOS it says how long that takes with squeezenet1_1.onnx.
func TestStranger(t *testing.T) {
	_, server := testServer(t, func(o *Options) {
		dir := t.TempDir()
		file := filepath.Join(dir, "net.onnx")
		if err := onnx.Export(file, o.Nets[0].Session.Net, 13); err != nil {
			t.Fatal(err)
		}
		net, err := open.Network(file, open.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o.Nets = []Net{{Session: newSession(o, net), Args: []string{"--model", "net.onnx"}}}
		if o.List, err = images.Open(t.Context(), images.Spec{Paths: []string{"../../testdata/star.png"}}, images.Options{}); err != nil {
			t.Fatal(err)
		}
	})
	s := &stranger{page: browse(t, server.URL)}
	t.Log("which part of the picture:", s.whichPart())
	t.Log("what map 11 looks for:", s.looksFor(11, "relu1"))
	file := filepath.Join(os.Getenv("VIZ_NETS"), "squeezenet1_1.onnx")
	if os.Getenv("VIZ_NETS") == "" {
		return
	}
	_, server = testServer(t, func(o *Options) {
		net, err := open.Network(file, open.Options{Preprocess: "torchvision"})
		if err != nil {
			t.Fatal(err)
		}
		o.Nets = []Net{{Session: view.NewSession(o.Nets[0].Session.Engine, net), Args: []string{"--model", file}}}
		if o.List, err = images.Open(t.Context(), images.Spec{Paths: []string{os.Getenv("VIZ_PHOTOS")}}, images.Options{}); err != nil {
			t.Fatal(err)
		}
	})
	s = &stranger{page: browse(t, server.URL)}
	t.Log("SqueezeNet, which part of the picture:", s.whichPart())
	t.Log("SqueezeNet, what map 37 looks for:", s.looksFor(37, "features.1/Relu"))
}
