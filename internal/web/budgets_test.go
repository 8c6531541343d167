package web

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/occlusion"
	"github.com/deconvnet/viz/view"
)

// TestBudgets measures the page through the browser and prints the rows of docs/performance.md. It runs if VIZ_BUDGETS
// is 1; VIZ_NETS names a folder with squeezenet1_1.onnx, alexnet.onnx, resnet18.onnx, vgg16.onnx, VIZ_PHOTOS one with
// photos. It is no test of speed: it fails only if something does not work.
func TestBudgets(t *testing.T) {
	if os.Getenv("VIZ_BUDGETS") != "1" {
		t.Skip("VIZ_BUDGETS is not 1: nothing is measured")
	}
	for _, name := range []string{"squeezenet1_1", "alexnet", "resnet18", "vgg16"} {
		file := filepath.Join(os.Getenv("VIZ_NETS"), name+".onnx")
		if _, err := os.Stat(file); err != nil {
			t.Logf("%s is not measured: %v", name, err)
			continue
		}
		measure(t, name, file)
	}
}

// measured is the times of something done several times.
func measured(times []float64) string {
	slices.Sort(times)
	return fmt.Sprintf("%.0f ms (%.0f to %.0f)", times[len(times)/2], times[0], times[len(times)-1])
}

func measure(t *testing.T, name, file string) {
	net, err := open.Network(file, open.Options{Preprocess: "imagenet"})
	if err != nil {
		t.Fatal(err)
	}
	engine := model.NewEngine(0)
	defer engine.Close()
	list, err := images.Open(context.Background(), images.Spec{Paths: []string{os.Getenv("VIZ_PHOTOS")}}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	session := view.NewSession(engine, net)
	row := func(what, took string) { fmt.Printf("| %s | %s | %s |\n", name, what, took) }
	begin := time.Now()
	s, err := New(Options{Nets: []Net{{Session: session, Args: []string{"--model", file}}}, List: list, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	server := newTestServer(t, s)
	row("start to answering, after the network is loaded", fmt.Sprintf("%.0f ms", time.Since(begin).Seconds()*1000))
	p := browse(t, server)
	begin = time.Now()
	p.open("?view=network")
	p.until("the graph", "document.querySelectorAll('.node').length > 2")
	row("address to first page", fmt.Sprintf("%.0f ms", time.Since(begin).Seconds()*1000))

	// since measures in the page from an action to the frame in which a condition holds.
	since := func(action, condition string) float64 {
		return run(p, chromedp.Evaluate[float64](fmt.Sprintf(`new Promise(done => { const t = performance.now(); %s; const look = () => { if (%s) done(performance.now() - t); else requestAnimationFrame(look); }; look(); })`,
			action, condition), chromedp.EvalAwaitPromise))
	}
	p.open("?view=image&image=0")
	p.until("bars", "document.querySelectorAll('.bars button').length >= 5")
	var times []float64
	for i := 1; i < list.Len(); i++ {
		times = append(times, since(fmt.Sprintf("document.querySelector('.thumb[data-image=\"%d\"]').click()", i),
			fmt.Sprintf("document.querySelector('figcaption')?.textContent.includes(%q) && document.querySelector('.bars') && !document.querySelector('.bars').stale", filepath.Base(list.Items[i].Name))))
		run(p, chromedp.Evaluate[chromedp.Void]("document.querySelector('.bars').stale = true; 0"))
	}
	row("new image to class bars", measured(times))

	times = nil
	p.open("?view=layer&image=0")
	p.until("maps", "document.querySelector('.tiles canvas')")
	for _, layer := range net.ConvLayers() {
		times = append(times, since(fmt.Sprintf("{ const s = document.querySelector('select[aria-label=Layer]'); s.value = %q; s.dispatchEvent(new Event('change')); }", layer),
			fmt.Sprintf("document.querySelector('.tiles')?.ariaLabel.startsWith('Maps of %s.')", layer)))
	}
	row("all maps of a layer as a grid", measured(times))

	if layer := map[string]string{"alexnet": "5", "vgg16": "10"}[name]; layer != "" { // conv5, conv4_3
		times = nil
		p.open("?view=layer&image=0&layer=" + net.ConvLayers()[map[string]int{"alexnet": 4, "vgg16": 9}[name]])
		p.until("a unit", "document.querySelectorAll('.pair figure').length == 3")
		p.do(chromedp.Focus(chromedp.CSS(".plane canvas")))
		for i := range 12 {
			key := []string{"ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"}[i/3]
			times = append(times, since(fmt.Sprintf(`document.querySelector('.pair').stale = true; document.querySelector('.plane canvas').dispatchEvent(new KeyboardEvent('keydown', { key: %q }))`, key),
				"document.querySelector('.pair') && !document.querySelector('.pair').stale"))
		}
		row("click to projection, conv"+map[string]string{"alexnet": "5", "vgg16": "4_3"}[name], measured(times))
	}

	times = nil
	p.open("?view=occlude&image=0&patch=16")
	p.has("#spot", "Patch at row")
	x, y := p.at(".plane canvas", 0.3, 0.3)
	// A move counts from the time of its event, to when its figures are in the page, and to the frame that shows them.
	run(p, chromedp.Evaluate[chromedp.Void](`addEventListener("pointerrawupdate", e => { if (window.begun === null) window.begun = e.timeStamp; }, true);
		addEventListener("pointermove", e => { if (window.begun === null) window.begun = e.timeStamp; }, true); 0`))
	var frames []float64
	for i := range 30 {
		run(p, chromedp.Evaluate[chromedp.Void](`window.begun = null; window.moved = new Promise(done => { const spot = document.querySelector("#spot"), s = spot.textContent;
			const o = new MutationObserver(() => { if (spot.textContent === s) return; o.disconnect(); const t = performance.now() - window.begun; requestAnimationFrame(() => done([t, performance.now() - window.begun])); });
			o.observe(spot, { childList: true }); }); 0`))
		p.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x+float64(5*i), y+float64(3*i)))
		took := run(p, chromedp.Evaluate[[]float64]("window.moved", chromedp.EvalAwaitPromise))
		times, frames = append(times, took[0]), append(frames, took[1])
	}
	row("pointer to figures of its position in the page", measured(times))
	row("pointer to the frame that shows them", measured(frames))
	row("of these the network", p.text("#took"))

	in, err := session.Input(mustOpen(t, list, 0))
	if err != nil {
		t.Fatal(err)
	}
	scanner, err := session.Occluder(view.Occlusion{Options: occlusion.Options{Patch: [2]int{16, 16}, Stride: [2]int{4, 4}}})
	if err != nil {
		t.Fatal(err)
	}
	var own, paged []float64
	for range 2 {
		begin = time.Now()
		if _, err := scanner.Scan(context.Background(), in.Tensor, nil); err != nil {
			t.Fatal(err)
		}
		own = append(own, time.Since(begin).Seconds()*1000)
		s.cache.forget("scan")
		p.open("?view=occlude&image=0&patch=16&stride=4")
		p.has("#spot", "Patch at row")
		paged = append(paged, since("document.querySelector('#scan').click()", "document.querySelector('#scan-text')?.textContent.startsWith('done')"))
	}
	row("whole map 16/4 without the page", measured(own))
	row("whole map 16/4 in the page", measured(paged))
	scanner = nil // the page's own memory counts
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	row("heap in the end, weights included", fmt.Sprintf("%d MB", m.HeapAlloc>>20))
	if strings.Contains(p.text("main"), "undefined") {
		t.Error("something is undefined")
	}
}

func mustOpen(t *testing.T, list *images.List, i int) images.Picture {
	t.Helper()
	p, err := list.Open(i)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
