package web

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// accessible looks for what keeps people out: controls and pictures without a name, text of too little contrast, a page
// that is wider than its window.
const accessible = `(() => {
	const wrong = [];
	const seen = e => { const s = getComputedStyle(e), b = e.getBoundingClientRect(); return s.visibility !== "hidden" && s.display !== "none" && b.width > 1 && b.height > 1 && !e.closest("[hidden], dialog:not([open])"); };
	const tell = e => e.outerHTML.slice(0, 120);
	const text = e => (e.innerText || e.textContent || "").trim();
	const named = e => {
		const by = (e.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean).map(id => document.getElementById(id)).filter(Boolean).map(text).join(" ");
		return (e.getAttribute("aria-label") || by || [...(e.labels || [])].map(text).join(" ") || (["BUTTON", "A", "OPTION", "SUMMARY"].includes(e.tagName) || e.hasAttribute("role") ? text(e) : "") || e.title || "").trim();
	};
	for (const e of document.querySelectorAll("button, a, input:not([type=hidden]), select, textarea, [tabindex], [role=button], [role=radio], [role=listbox], progress")) {
		if (e.tabIndex < 0 && e.id === "main") continue;
		if (seen(e) && !named(e)) wrong.push("no name: " + tell(e));
	}
	for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) wrong.push("no alt: " + tell(e));
	for (const e of document.querySelectorAll("canvas, svg")) if (seen(e) && !e.closest("[aria-hidden=true]") && !e.hasAttribute("aria-label") && !e.getAttribute("role")) wrong.push("no label: " + tell(e));
	const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
	for (const id of new Set(ids)) if (ids.filter(x => x === id).length > 1) wrong.push("two elements are called " + id);
	const parse = c => (c.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
	const lum = ([r, g, b]) => { const f = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
	const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0.99) return c; } return [255, 255, 255]; };
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; (n = walk.nextNode());) {
		const e = n.parentElement;
		if (!n.textContent.trim() || !seen(e) || e.closest("svg, option, .unseen, button:disabled")) continue;
		const a = lum(parse(getComputedStyle(e).color)), b = lum(ground(e)), c = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (c < 4.5) wrong.push("contrast " + c.toFixed(2) + ": " + n.textContent.trim().slice(0, 40) + " in " + tell(e));
	}
	for (const e of document.querySelectorAll("svg text")) {
		const r = e.parentElement.querySelector("rect"), on = r ? parse(getComputedStyle(r).fill) : ground(e.closest(".card"));
		const a = lum(parse(getComputedStyle(e).fill)), b = lum(on), c = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (c < 4.5) wrong.push("contrast " + c.toFixed(2) + " in the graph: " + e.textContent);
	}
	if (document.documentElement.scrollWidth > innerWidth + 1) wrong.push("the page is " + document.documentElement.scrollWidth + " wide, the window " + innerWidth);
	if (!document.documentElement.lang || !document.title) wrong.push("no language or title");
	return [...new Set(wrong)];
})()`

// shownViews are all views, by their addresses, and when they are complete.
var shownViews = []struct{ name, query, condition string }{
	{"network", "?view=network", "document.querySelectorAll('.node').length > 10"},
	{"image", "?view=image&image=1", "document.querySelectorAll('.bars button').length >= 5"},
	{"layer", "?view=layer&image=1&layer=relu2", "document.querySelectorAll('.pair figure').length == 3 && document.querySelector('#scan-index')"},
	{"occlude", "?view=occlude&image=1&scan=1&stride=4", "document.querySelector('#spot') && document.body.innerText.includes('Loss by pixel')"},
	{"brush", "?view=occlude&image=1&by=brush", "document.querySelector('#spot')"},
	{"methods", "?view=methods&image=1&methods=saliency,gradcam", "document.querySelectorAll('figure img').length == 2 && [...document.querySelectorAll('figure img')].every(i => i.complete && i.naturalWidth)"},
	{"compare", "?view=compare&image=1&image2=2", "document.querySelectorAll('.bars').length == 2 && document.querySelectorAll('.scalebar').length == 2"},
	{"filters", "?view=filters", "document.querySelector('.figure')?.naturalWidth"},
}

// TestViews opens every view by its address, in light and dark and on a tablet, and looks for what keeps people out.
// VIZ_AXE may name axe-core's axe.min.js, which then looks as well.
func TestViews(t *testing.T) {
	_, server := testServer(t, nil)
	axe := ""
	if path := os.Getenv("VIZ_AXE"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		axe = string(text)
	}
	p := browse(t, server.URL)
	for _, v := range shownViews {
		p.open(v.query)
		p.until(v.name, v.condition)
		for _, s := range screens {
			p.resize(s)
			for _, w := range run(p, chromedp.Evaluate[[]string](accessible)) {
				t.Errorf("%s, %s: %s", v.name, s.name, w)
			}
			if axe == "" {
				continue
			}
			run(p, chromedp.Evaluate[chromedp.Void](axe+"\n;0"))
			found := run(p, chromedp.Evaluate[[]string](`axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] })
				.then(r => r.violations.map(v => v.id + " (" + v.impact + "): " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 150) + " " + n.failureSummary.slice(0, 200)).join(" | ")))`, chromedp.EvalAwaitPromise))
			for _, w := range found {
				t.Errorf("axe, %s, %s: %s", v.name, s.name, w)
			}
		}
		p.shoot(v.name, screens...)
	}
}

// TestFocus goes through a view by Tab: the focus can be seen at every stop, and there is no trap.
func TestFocus(t *testing.T) {
	_, server := testServer(t, nil)
	p := browse(t, server.URL)
	for _, v := range []int{2, 3, 5} {
		v := shownViews[v]
		p.open(v.query)
		p.until(v.name, v.condition)
		stops := map[string]int{}
		around := false
		for range 120 {
			p.key(kb.Tab)
			stop := run(p, chromedp.Evaluate[[]string](`(() => { const e = document.activeElement; if (e === document.body) return ["", ""];
				const s = getComputedStyle(e); const all = [...document.querySelectorAll("*")];
				return [String(all.indexOf(e)) + " " + e.outerHTML.slice(0, 90), s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 || e.closest(".node") ? "seen" : ""]; })()`))
			if stop[0] == "" {
				around = true
				break
			}
			if stop[1] == "" {
				t.Errorf("%s: the focus cannot be seen on %s", v.name, stop[0])
			}
			if stops[stop[0]]++; stops[stop[0]] > 1 {
				around = true // the browser's own window has no stop in between
				break
			}
		}
		if len(stops) < 15 || !around {
			var list []string
			for s := range stops {
				list = append(list, s)
			}
			t.Errorf("%s: Tab stops at %d elements, back at the first: %v\n%s", v.name, len(stops), around, strings.Join(list, "\n"))
		}
	}
}

// TestHostileNames: names of classes, layers and pictures are text, whatever is in them.
func TestHostileNames(t *testing.T) {
	_, server := testServer(t, func(o *Options) {
		o.Nets = []Net{{Session: newSession(o, deep(30)), Args: []string{"--model", "a'b"}}}
	})
	p := browse(t, server.URL)
	for _, view := range []string{"network", "image", "layer", "occlude", "compare", "methods&methods=gradcam", "filters"} {
		p.open("?view=" + view + "&image=1")
		p.until(view, "document.querySelector('.view')?.innerText.length > 20 && !document.querySelector('.view .wait')")
		p.until("requests to end", "performance.getEntriesByType('resource').every(e => e.responseEnd > 0)")
		if run(p, chromedp.Evaluate[bool]("window.hacked !== undefined || document.querySelector('main img[onerror], main [onload]') !== null")) {
			t.Errorf("%s: a name became part of the page", view)
		}
	}
	p.open("?view=image&image=1")
	p.has(".bars", `<img src=x onerror="hacked=1">`)
	p.has("#line", `'a'\''b'`)
}
