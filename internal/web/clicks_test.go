package web

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/deconvnet/viz/attribution"
	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/onnx"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

// at is a place in an element, as shares of its width and height.
func (p *page) at(selector string, fx, fy float64) (x, y float64) {
	p.t.Helper()
	p.until(selector, fmt.Sprintf("document.querySelector(%q)?.getBoundingClientRect().width", selector))
	b := run(p, chromedp.Evaluate[[]float64](fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({ block: "center" });
		const b = e.getBoundingClientRect(); return [b.left + b.width * %g, b.top + b.height * %g]; })()`, selector, fx, fy)))
	return b[0], b[1]
}

// move moves the pointer over an element.
func (p *page) move(selector string, fx, fy float64) {
	p.t.Helper()
	x, y := p.at(selector, fx, fy)
	p.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y))
}

// click clicks at a place of an element.
func (p *page) click(selector string, fx, fy float64) {
	p.t.Helper()
	x, y := p.at(selector, fx, fy)
	p.do(chromedp.MouseClickXY(x, y))
}

// press clicks an element in its middle.
func (p *page) press(selector string) { p.t.Helper(); p.click(selector, 0.5, 0.5) }

// key presses a key.
func (p *page) key(keys string) { p.t.Helper(); p.do(chromedp.KeyEvent(keys)) }

// address waits until the address has a setting.
func (p *page) address(setting string) {
	p.t.Helper()
	p.until(setting+" in the address", fmt.Sprintf("location.search.slice(1).split('&').includes(%q)", setting))
}

// library is what the package's own functions find for a picture.
type library struct {
	engine *model.Engine
	net    *model.Network
	list   *images.List
}

func (l library) input(t *testing.T, i int) view.Input {
	t.Helper()
	p, err := l.list.Open(i)
	if err != nil {
		t.Fatal(err)
	}
	in, err := view.NewSession(l.engine, l.net).Input(p)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// libraryOf is what a server's first network and pictures are.
func libraryOf(s *Server) library {
	return library{s.stations[0].Session.Engine, s.stations[0].Session.Net, s.o.List}
}

// TestLayerClicks goes from the graph to a layer, a map, a unit, and the map's strongest activations.
func TestLayerClicks(t *testing.T) {
	s, server := testServer(t, nil)
	p := browse(t, server.URL)
	p.open("?view=network&image=1")
	p.until("the graph", "document.querySelectorAll('.node').length > 10")
	p.move(".node[aria-label^='relu1']", 0.5, 0.5)
	p.has(".side h2", "relu1")
	p.do(chromedp.Focus(chromedp.CSS(".node[aria-label^='relu2']")))
	p.has(".side", "leads down from here")
	p.key(kb.Enter)
	p.address("view=layer")
	p.has("h2", "32 maps of relu2, each 16×16")
	lib := libraryOf(s)
	trace, err := lib.engine.Forward(lib.net, lib.input(t, 1).Tensor)
	if err != nil {
		t.Fatal(err)
	}
	p.until("the chosen map", "document.querySelector('.pair')")
	p.click(".tiles canvas", 0.2, 0.1)
	p.until("another map", "location.search.includes('map=')")
	p.click(".plane canvas", 0.53, 0.41) // column 8, row 6 of 16
	p.address("y=6")
	p.address("x=8")
	var k int
	if _, err := fmt.Sscan(run(p, chromedp.Evaluate[string]("new URLSearchParams(location.search).get('map')")), &k); err != nil {
		t.Fatal(err)
	}
	v := trace.At(0, model.Unit{Layer: "relu2", Channel: k, Y: 6, X: 8})
	p.has("#reading", "Row 6, column 8: "+run(p, chromedp.Evaluate[string](fmt.Sprintf("String(parseFloat((%v).toPrecision(4)))", v))))
	p.has("#unit-title", fmt.Sprintf("Unit relu2:%d:6:8", k))
	p.do(chromedp.Focus(chromedp.CSS(".plane canvas")))
	p.key(kb.ArrowDown)
	p.address("y=7")
	p.has("#unit-title", fmt.Sprintf("Unit relu2:%d:7:8", k))
	p.press("fieldset[aria-label=Rule] button:nth-of-type(2)")
	p.address("rule=guided")
	p.has("#line", "--rule guided")
	p.press("#scan-index")
	p.until("the strongest activations", "document.querySelector('.figure')?.naturalWidth > 100")
	p.shoot("layer-top", screens[0])
	p.do(chromedp.NavigateBack())
	p.has("#unit-title", fmt.Sprintf("Unit relu2:%d:7:8", k))
}

// TestOccluderClicks moves the patch, and compares what is shown with the map of the library.
func TestOccluderClicks(t *testing.T) {
	s, server := testServer(t, nil)
	p := browse(t, server.URL)
	p.open("?view=occlude&image=3&patch=9&stride=4")
	p.has("#spot", "Patch at row 12, column 12")
	lib := libraryOf(s)
	m, err := occlusion.Scan(context.Background(), lib.engine, lib.net, lib.input(t, 3).Tensor, occlusion.Options{Patch: [2]int{9, 9}, Stride: [2]int{1, 1}, Method: occlusion.Box})
	if err != nil {
		t.Fatal(err)
	}
	shows := func(y, x int) {
		t.Helper()
		i := y*m.Cols + x
		want := run(p, chromedp.Evaluate[string](fmt.Sprintf("import('/assets/base.js').then(b => b.percent(%v))", float64(m.Prob[0][i])), chromedp.EvalAwaitPromise))
		p.has("#spot", fmt.Sprintf("Patch at row %d, column %d: %s %s", y, x, lib.net.Class(m.Classes[0]), want))
	}
	shows(12, 12)
	p.move(".plane canvas", 10.5/32, 20.5/32) // the pointer is in the middle of the patch
	shows(16, 6)
	p.do(chromedp.Focus(chromedp.CSS(".plane canvas")))
	p.key(kb.ArrowRight)
	shows(16, 7)
	p.has("#line", "viz occlude --model shapes --patch 9 --stride 4")
	p.press("#scan")
	p.has("#scan-text", "done: 36 positions")
	p.until("the loss", "document.body.innerText.includes('Loss by pixel')")
	p.move(".panels figure:nth-of-type(2) canvas", 0.99, 0.01) // the map's corner
	shows(0, 20)
	p.shoot("occlude-map", screens...)
	// The address restores the view.
	p.open(run(p, chromedp.Evaluate[string]("location.search")))
	p.has("#scan-text", "done: 36 positions")
	p.has("#spot", "Patch at row")
}

// TestOverlookedPatch: figures that nobody will look at any more, those of another patch or after the view was left, do
// not go on waiting for their turn. A pointer that moves on keeps its turn.
func TestOverlookedPatch(t *testing.T) {
	s, server := testServer(t, nil)
	p := browse(t, server.URL)
	p.open("?view=occlude&image=3&patch=9")
	p.has("#spot", "Patch at row 12, column 12")
	for range 2 { // both slots are taken: whatever is asked for waits
		if err := s.work.enter(context.Background(), "test"); err != nil {
			t.Fatal(err)
		}
	}
	wait := func(what string, done func(waiting []*ticket) bool) (waiting []*ticket) {
		t.Helper()
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			s.work.mu.Lock()
			waiting = nil
			for _, tickets := range s.work.waiting {
				waiting = append(waiting, tickets...)
			}
			s.work.mu.Unlock()
			if done(waiting) {
				return waiting
			}
			if time.Now().After(end) {
				t.Fatalf("waiting for %s: %d requests wait", what, len(waiting))
			}
		}
	}
	p.do(chromedp.Focus(chromedp.CSS(".plane canvas")))
	p.key(kb.ArrowRight)
	first := wait("a place", func(w []*ticket) bool { return len(w) == 1 })[0]
	p.key(kb.ArrowDown)
	p.key(kb.ArrowDown)
	if w := wait("the turn that is kept", func(w []*ticket) bool { return len(w) == 1 }); w[0] != first {
		t.Error("a pointer that moves on loses its turn")
	}
	p.key("+") // a larger patch
	p.address("patch=10")
	wait("the larger patch", func(w []*ticket) bool { return len(w) == 1 && w[0] != first })
	p.key("1") // another view, which computes nothing
	p.address("view=network")
	wait("nothing", func(w []*ticket) bool { return len(w) == 0 })
	s.work.leave()
	s.work.leave()
	p.open("?view=occlude&image=3&patch=9")
	p.has("#spot", "Patch at row")
}

// TestBrush covers by hand.
func TestBrush(t *testing.T) {
	_, server := testServer(t, nil)
	p := browse(t, server.URL)
	p.open("?view=occlude&image=3&by=brush&brush=8")
	p.has("#spot", "uncovered")
	before := p.text("#spot")
	x, y := p.at(".plane canvas", 0.4, 0.5)
	p.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, x, y, chromedp.ButtonLeft))
	for i := range 12 {
		p.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x+float64(8*i), y, chromedp.ButtonLeft))
	}
	p.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, x+90, y, chromedp.ButtonLeft))
	p.until("another figure", fmt.Sprintf("document.querySelector('#spot')?.textContent && document.querySelector('#spot').textContent !== %q", before))
	p.has("#line", "--method box --mask mask-")
	p.until("the mask in the address and its file", "document.querySelector('#command a[download$=\".npy\"][download^=\"mask-\"]') && location.search.includes('mask=')")
	p.shoot("brush", screens[0])
	address := run(p, chromedp.Evaluate[string]("location.search"))
	p.open(address) // restores the mask; strokes may have come after it was taken
	p.until("figures under the mask", fmt.Sprintf("document.querySelector('#spot')?.textContent && document.querySelector('#spot').textContent !== %q", before))
	if now := run(p, chromedp.Evaluate[string]("location.search")); now != address {
		t.Errorf("the address is %s, was %s", now, address)
	}
	p.press("#clear")
	p.has("#spot", before)
	p.until("no mask in the address", "!location.search.includes('mask=') && !document.querySelector('#line')")
}

// TestOwnPicture drops, pastes and adds pictures, and a file that is none.
func TestOwnPicture(t *testing.T) {
	_, server := testServer(t, nil)
	star, err := filepath.Abs("../../testdata/star.png")
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.png")
	if err := os.WriteFile(broken, []byte("\x89PNG\r\n\x1a\nno picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := browse(t, server.URL)
	p.quiet = true // the browser logs refused requests
	p.open("?view=image&image=0")
	p.until("the strip", "document.querySelectorAll('.thumb').length == 12")
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#strip input[type=file]"), []string{star}))
	p.address("image=12")
	p.has(".bars", "star")
	p.has("figcaption", "star.png")
	for i, how := range []string{
		`dispatchEvent(new DragEvent("drop", { dataTransfer: d, bubbles: true, cancelable: true }))`,
		`dispatchEvent(new ClipboardEvent("paste", { clipboardData: d, bubbles: true }))`,
	} {
		run(p, chromedp.Evaluate[bool](`fetch("/api/thumb?image=3").then(r => r.blob()).then(b => { const d = new DataTransfer(); d.items.add(new File([b], "<b>mine<i>.png", { type: "image/png" })); return `+how+`; })`, chromedp.EvalAwaitPromise))
		p.address(fmt.Sprintf("image=%d", 13+i))
		p.has("figcaption", "<b>mine<i>.png")
	}
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#strip input[type=file]"), []string{broken}))
	p.has(".bad", "cannot open broken.png")
}

// TestKeys goes through the page by keys.
func TestKeys(t *testing.T) {
	_, server := testServer(t, nil)
	p := browse(t, server.URL)
	p.open("?view=network")
	p.until("the graph", "document.querySelectorAll('.node').length > 10")
	p.key("/")
	p.until("the search", "document.activeElement.type == 'search'")
	run(p, chromedp.Evaluate[string]("document.activeElement.value = ''")) // the protocol types the key, too
	p.key("relu3")
	p.has("#found", "1 match")
	p.key(kb.Enter)
	p.address("layer=relu3")
	p.until("the unit", "document.querySelector('.pair')")
	p.do(chromedp.Blur(chromedp.CSS("select")))
	for i, name := range []string{"network", "image", "layer", "occlude", "methods", "compare", "filters"} {
		p.key(fmt.Sprint(i + 1))
		p.address("view=" + name)
		p.until("the view "+name, "document.querySelector('#views [aria-current]').dataset.view == "+fmt.Sprintf("%q", name)+" && document.querySelector('.view').childElementCount > 0")
	}
	p.key("]")
	p.address("image=1")
	theme := p.text("#theme")
	p.key("d")
	p.until("the other colours", fmt.Sprintf("document.querySelector('#theme').textContent != %q", theme))
	p.key("?")
	p.until("the list of keys", "document.querySelector('#keys').open")
	p.has("#keys", "previous and next picture")
	p.key(kb.Escape)
	p.until("the list closed", "!document.querySelector('#keys').open")
}

// TestCompare moves one patch over two pictures and two networks.
func TestCompare(t *testing.T) {
	s, server := testServer(t, func(o *Options) {
		net, err := open.Network("cifar10", open.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o.Nets = append(o.Nets, Net{Session: view.NewSession(o.Nets[0].Session.Engine, net), Args: []string{"--model", "cifar10"}})
	})
	p := browse(t, server.URL)
	p.open("?view=compare&image=1")
	p.until("both", "document.querySelectorAll('.bars').length == 2 && document.querySelectorAll('.scalebar').length == 2")
	before := run(p, chromedp.Evaluate[[]string]("[...document.querySelectorAll('.bars')].map(b => b.textContent)"))
	p.move(".plane canvas", 0.75, 0.75)
	p.until("both to follow", fmt.Sprintf("[...document.querySelectorAll('.bars')].every((b, i) => b.textContent !== [%q, %q][i])", before[0], before[1]))
	for i, st := range s.stations {
		if !slices.ContainsFunc(st.Session.Net.Classes, func(c string) bool { return strings.Contains(before[i], c) }) {
			t.Errorf("the bars of network %d are %q: want its classes, %q", i, before[i], st.Session.Net.Classes)
		}
	}
	p.has("#line", "--position")
	p.shoot("compare-nets", screens[0])
}

// TestMethodsClicks chooses a method, and measures one.
func TestMethodsClicks(t *testing.T) {
	_, server := testServer(t, nil)
	p := browse(t, server.URL)
	p.open("?view=methods&image=1&methods=saliency")
	p.until("saliency", "document.querySelector('[data-method=saliency] img')?.naturalWidth")
	var titles []string
	for _, m := range attribution.Methods() {
		titles = append(titles, m.Title())
	}
	if shown := run(p, chromedp.Evaluate[[]string]("[...document.querySelectorAll('fieldset[aria-label=Methods] label')].map(l => l.textContent)")); !slices.Equal(shown, titles) {
		t.Errorf("the methods are %q, want %q", shown, titles)
	}
	p.press("[data-method=saliency] button")
	p.until("the curves", "document.querySelector('[data-method=saliency] polyline.two')")
	p.has("[data-method=saliency]", "lower is better")
	p.shoot("methods-curves", screens[0])
}

// TestEvolution moves the slider over checkpoints.
func TestEvolution(t *testing.T) {
	_, server := testServer(t, func(o *Options) {
		net := o.Nets[0].Session.Net
		o.Checkpoints = []string{"ckpt-1.bin", "ckpt-2.bin", "ckpt-3.bin"}
		o.Open = func(i int) (*model.Network, error) { return model.Redraw(net, []string{"conv1"}, uint64(i)) }
	})
	p := browse(t, server.URL)
	p.open("?view=filters")
	p.has("#step", "3 of 3")
	p.until("both figures", "[...document.querySelectorAll('.figure')].filter(i => i.naturalWidth).length == 2")
	p.do(chromedp.Focus(chromedp.CSS("#checkpoint")))
	p.key(kb.ArrowLeft)
	p.has("#step", "2 of 3")
	p.address("checkpoint=1")
	p.key(kb.ArrowLeft)
	p.has("#step", "1 of 3")
	p.has("#line", "--model ckpt-1.bin")
	p.until("the figure", "[...document.querySelectorAll('.figure')].filter(i => i.naturalWidth).length == 2")
	p.shoot("evolution", screens[0])
}

// TestONNX looks at a network from a file.
func TestONNX(t *testing.T) {
	_, server := testServer(t, func(o *Options) {
		file := filepath.Join(t.TempDir(), "small.onnx")
		if err := onnx.Export(file, o.Nets[0].Session.Net, 13); err != nil {
			t.Fatal(err)
		}
		net, err := open.Network(file, open.Options{})
		if err != nil {
			t.Fatal(err)
		}
		o.Nets = []Net{{Session: newSession(o, net), Args: []string{"--model", "small.onnx"}}}
	})
	p := browse(t, server.URL)
	p.open("?view=network")
	p.until("the graph", "document.querySelectorAll('.node').length > 4")
	p.open("?view=occlude&image=2&patch=6")
	p.has("#spot", "Patch at row")
	p.open("?view=layer&image=2&layer=2")
	p.until("the unit", "document.querySelectorAll('.pair figure').length == 3")
}

// TestRefusal: a rule that does not lead down from a layer is refused in place, with the layer's name.
func TestRefusal(t *testing.T) {
	_, server := testServer(t, nil)
	p := browse(t, server.URL)
	p.quiet = true // the refusal is logged
	p.open("?view=layer&image=2&layer=prob")
	p.has(".bad", "layer prob: rule deconv: not supported through a softmax")
	p.until("the maps all the same", "document.querySelector('.plane canvas')")
	p.press("fieldset[aria-label=Rule] button:nth-of-type(3)")
	p.until("the gradient", "document.querySelectorAll('.pair figure').length == 3")
}

// TestLateMap: a map that comes when another was chosen meanwhile is not shown.
func TestLateMap(t *testing.T) {
	_, server := testServer(t, nil)
	p := browse(t, server.URL)
	p.open("?view=layer&image=2&layer=relu2&map=3")
	p.has(".split", "Map 3")
	p.until("the unit", "document.querySelector('.pair')")
	run(p, chromedp.Evaluate[chromedp.Void](`(() => { const f = window.fetch; let free; const held = new Promise(done => { free = done; });
		window.fetch = async (u, o) => { if (!/api.map\?.*map=7/.test(u)) return f(u, o); const { signal, ...rest } = o; window.asked = true; await held; const r = await f(u, rest); setTimeout(() => { window.came = true; }, 300); return r; };
		window.free = free; })(); 0`))
	choose := func(k int) {
		run(p, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`import("/assets/base.js").then(b => { b.state.set({ map: %d }, true); })`, k), chromedp.EvalAwaitPromise))
	}
	choose(7)
	p.until("the request", "window.asked")
	choose(3)
	run(p, chromedp.Evaluate[chromedp.Void]("window.free(); 0"))
	p.until("the late map", "window.came")
	if got := p.text(".split"); !strings.Contains(got, "Map 3") || strings.Contains(got, "Map 7") {
		t.Errorf("the page shows %.300q", got)
	}
}
