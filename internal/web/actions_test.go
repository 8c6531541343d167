package web

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestBrowserActions clicks, moves and types at random: no error on the page or in its console, what is kept
// stays within its bound, and no goroutine is left behind. There are 2000 actions if VIZ_BUDGETS is 1, else a few.
func TestBrowserActions(t *testing.T) {
	const limit = 4 << 20
	s, server := testServer(t, func(o *Options) { o.Memory = limit })
	n := 80
	if os.Getenv("VIZ_BUDGETS") == "1" {
		n = 2000
	}
	p := browse(t, server.URL)
	p.quiet = true // a rule that does not lead down from a layer is refused, and logged
	rng := rand.New(rand.NewPCG(3, 4))
	p.open("?view=network")
	p.until("the graph", "document.querySelectorAll('.node').length > 10")
	before := runtime.NumGoroutine()
	keys := []string{"1", "2", "3", "4", "5", "6", "7", "[", "]", "+", "-", "d", kb.Escape, kb.ArrowLeft, kb.ArrowRight, kb.ArrowDown}
	for i := range n {
		switch rng.IntN(3) {
		case 0:
			p.key(keys[rng.IntN(len(keys))])
		case 1: // a control, but for those that leave the page or begin the longest work
			run(p, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { const all = [...document.querySelectorAll("button, .node, select, input[type=checkbox]")].filter(e => e.getBoundingClientRect().width && !e.disabled && !e.closest(".add, dialog") && !/Deletion|Add a picture/.test(e.textContent));
				const e = all[%d %% all.length]; if (!e) return; if (e.tagName === "SELECT") { e.selectedIndex = %d %% e.options.length; e.dispatchEvent(new Event("change", { bubbles: true })); } else e.dispatchEvent(new MouseEvent("click", { bubbles: true })); })(); 0`, rng.IntN(1000), rng.IntN(1000))))
		case 2: // a place in a picture
			run(p, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { const e = document.querySelector(".plane canvas"); if (!e) return; const b = e.getBoundingClientRect(), o = { bubbles: true, clientX: b.left + b.width * %g, clientY: b.top + b.height * %g };
				e.dispatchEvent(new PointerEvent("pointermove", o)); })(); 0`, rng.Float64(), rng.Float64())))
		}
		if used := s.cache.size(); used > limit {
			t.Fatalf("after %d actions %d bytes are kept", i, used)
		}
	}
	p.open("?view=network")
	p.until("the graph", "document.querySelectorAll('.node').length > 3")
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before+20; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
