package web

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/deconvnet/viz/images"
	"github.com/deconvnet/viz/model"
	"github.com/deconvnet/viz/model/open"
	"github.com/deconvnet/viz/view"
)

// patience is how long a test waits for a condition: long, since machines are busy. VIZ_PATIENCE shortens it for
// whoever writes a test.
var patience = func() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("VIZ_PATIENCE")); err == nil {
		return d
	}
	return 3 * time.Minute
}()

// chromium finds a browser, or skips the test and says so. Where VIZ_BROWSER=require is set, as in the gate, a missing
// one is an error.
func chromium(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("short: the page is not opened in a browser")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("VIZ_BROWSER") == "require" {
		t.Fatal("VIZ_BROWSER=require, but there is no chromium in the path")
	}
	t.Skip("there is no chromium in the path: what the page does in a browser is not tested")
	return ""
}

// testServer is a page on the built-in network shapes, and its generated pictures.
func testServer(t *testing.T, change func(o *Options)) (*Server, *httptest.Server) {
	t.Helper()
	engine := model.NewEngine(2)
	t.Cleanup(engine.Close)
	net, err := open.Network("shapes", open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := images.Open(context.Background(), images.Spec{Data: "shapes", Limit: 12, Seed: 1}, images.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Nets: []Net{{Session: view.NewSession(engine, net), Args: []string{"--model", "shapes"}}}, List: list,
		Args: []string{"--data", "shapes", "--limit", "12"}, Version: "test"}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return s, server
}

// newTestServer is the address of a server.
func newTestServer(t *testing.T, s *Server) string {
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return server.URL
}

// newSession is a session on the engine of a page's options.
func newSession(o *Options, net *model.Network) *view.Session {
	return view.NewSession(o.Nets[0].Session.Engine, net)
}

// page is a browser on a page. Whatever the page asks of another machine, and all that the console says, fails the test.
type page struct {
	t    *testing.T
	ctx  context.Context
	base string
	// quiet lets the browser log requests that the server refuses, which a test provokes.
	quiet bool
}

// browse opens a browser.
func browse(t *testing.T, base string) *page {
	t.Helper()
	path := chromium(t)
	var mu sync.Mutex
	var wrong []string
	complain := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		wrong = append(wrong, fmt.Sprintf(format, args...))
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, w := range wrong {
			t.Error(w)
		}
	})
	p := &page{t: t, base: base}
	hear := func(e any) {
		switch e := e.(type) {
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, base) && !strings.HasPrefix(u, "blob:"+base) && u != "about:blank" {
				complain("a request leaves the machine: %s", u)
			}
		case *runtime.EventConsoleAPICalled:
			for _, a := range e.Args {
				complain("the console says %s: %s %s", e.Type, a.Value, a.Description)
			}
		case *runtime.EventExceptionThrown:
			complain("an exception in the page: %v", e.ExceptionDetails)
		case *log.EventEntryAdded:
			if p.quiet && e.Entry.Source == log.EntrySourceNetwork {
				return
			}
			if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
				complain("the browser logs %s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
			}
		}
	}
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.DisableGPU, chromedp.WindowSize(1280, 720))
	alloc, cancel := chromedp.NewExecAllocator(context.Background(), o...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(alloc, chromedp.WithListener(hear))
	t.Cleanup(cancel)
	p.ctx = ctx
	if err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error { // the browser lives as long as this context
		_, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{})
		return err
	})); err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	call(p, log.Enable, cdp.Empty{})
	call(p, runtime.Enable, cdp.Empty{})
	return p
}

// call sends a command of the protocol.
func call[P, R any](p *page, c cdp.Command[P, R], params P) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, c, params); err != nil {
		p.t.Fatal(err)
	}
}

// run runs an action that returns a value.
func run[T any](p *page, a chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// do runs actions.
func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%v", err)
	}
}

// open shows an address of the page.
func (p *page) open(query string) { p.t.Helper(); p.do(chromedp.Navigate(p.base + "/" + query)) }

// until waits for a condition in the page, in JavaScript.
func (p *page) until(what, condition string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+condition+")"))
		if err != nil {
			text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText"))
			p.t.Fatalf("waiting for %s: %v; the page shows:\n%s", what, err, text)
		}
		if ok {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// text is what an element shows.
func (p *page) text(selector string) string {
	p.t.Helper()
	return run(p, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q)?.textContent ?? ''", selector)))
}

// has waits until an element shows a text.
func (p *page) has(selector, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%q in %s", text, selector), fmt.Sprintf("document.querySelector(%q)?.textContent.includes(%q)", selector, text))
}

// screen is a size of the window, with light or dark colours.
type screen struct {
	name string
	w, h int64
	dark bool
}

var screens = []screen{{"light", 1280, 720, false}, {"dark", 1280, 720, true}, {"tablet", 820, 1180, false}}

// shoot keeps screenshots of what is shown, if VIZ_SCREENS names a folder for them.
func (p *page) shoot(name string, screens ...screen) {
	p.t.Helper()
	dir := os.Getenv("VIZ_SCREENS")
	if dir == "" {
		return
	}
	for _, s := range screens {
		p.resize(s)
		p.do(chromedp.Sleep(300 * time.Millisecond))
		png := run(p, chromedp.CaptureScreenshot())
		if err := os.WriteFile(filepath.Join(dir, name+"-"+s.name+".png"), png, 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	p.resize(screens[0])
}

// resize makes the window as large as a screen, and asks for its colours.
func (p *page) resize(s screen) {
	p.t.Helper()
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.w, Height: s.h, DeviceScaleFactor: 1})
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	p.until("the window", fmt.Sprintf("innerWidth == %d && document.documentElement.dataset.theme == %q", s.w, scheme))
}
