// The occluder: a patch that follows the pointer, or a brushed mask, and what the network says meanwhile. Every figure is
// that of its position, computed for it.
import { h, put, state, ask, askJSON, askFloats, url, guard, listen, problem, Latest, number, percent, shown, plural, seconds, say, isAbort, className } from "./base.js";
import { Plane, scalebar, heat, loaded, fromPixels, classColor } from "./draw.js";
import { bars, classPicker } from "./view-image.js";
import { pick, layerSelect } from "./view-layer.js";

const fills = [["mean", "mean of the training data"], ["image", "the picture's mean"], ["blur", "blurred picture"], ["noise:1", "noise"], ["0", "black"], ["128", "grey"], ["255", "white"]];

// settings are those of an occluder, as the command has them.
export function settings(app) {
  return { net: state.int("net"), image: state.int("image"), class: app.chosen(), patch: state.get("patch"), stride: state.get("stride"),
    fill: state.get("fill"), soft: state.get("soft"), layer: state.get("watch"), edge: state.get("edge") };
}
// patchSize is rows and columns of the patch.
export function patchSize(app) {
  const m = state.get("patch").match(/^(\d+)(?:x(\d+))?$/);
  return m ? [Number(m[1]), Number(m[2] || m[1])] : app.net().occlusion.patch;
}
const pairText = ([a, b]) => a === b ? String(a) : a + "x" + b;

function open(place, app) {
  const tools = h("div", { class: "tools" }), left = h("div", { class: "card" }), right = h("div", { class: "card" }), below = h("div", { class: "card" });
  const scanTools = h("div", { class: "tools", role: "group", "aria-label": "The whole map" });
  place.append(tools, scanTools, h("div", { class: "split" }, left, right), below);
  const latest = new Latest(), pictures = new Latest();
  let plane = null, picture = null, pictureKey = "", spotKey = "", scanKey = "", map = null, stop = null, spot = null, brush = null, queued = null, pending = "", mask = "", painted = false, said = null;

  const where = () => ({ net: state.int("net"), image: state.int("image") });
  const size = () => { const n = app.net().input, [a, b] = patchSize(app); return [Math.min(a, n.H), Math.min(b, n.W)]; };
  const stride = () => { const m = state.get("stride").match(/^(\d+)(?:x(\d+))?$/); return m ? [Number(m[1]), Number(m[2] || m[1])] : app.net().occlusion.stride; };
  const mode = () => state.get("by", "patch");

  function resize(by) {
    const n = app.net().input, [a, b] = size();
    const step = Math.max(1, Math.round(Math.max(a, b) / 10)), to = (v, most) => Math.min(Math.max(v + by * step, 1), most);
    state.set({ patch: pairText([to(a, n.H), to(b, n.W)]) }, true);
  }
  function drawTools() {
    const n = app.net().input, [a, b] = size();
    const focus = document.activeElement?.dataset?.tool;
    const num = (label, tool, value, min, max, set) => h("label", {}, label, h("input", { type: "number", "data-tool": tool, value, min, max, onchange: e => { const v = parseInt(e.target.value, 10); if (v >= min && v <= max) set(v); } }));
    put(tools, pick("Cover by", [["patch", "patch"], ["brush", "brush"]], mode(), v => state.set({ by: v === "patch" ? null : v })),
      mode() === "patch" ? num("rows", "rows", a, 1, n.H, v => state.set({ patch: pairText([v, size()[1]]) }, true)) : num("width", "brush", state.int("brush", Math.max(Math.round(n.W / 16), 1)), 1, n.W, v => state.set({ brush: v }, true)),
      mode() === "patch" ? num("columns", "cols", b, 1, n.W, v => state.set({ patch: pairText([size()[0], v]) }, true)) : h("button", { type: "button", id: "clear", onclick: clearBrush }, "Clear"),
      mode() === "patch" ? num("soft edge", "soft", state.int("soft", 0), 0, Math.max(a, b), v => state.set({ soft: v || null }, true)) : null,
      h("label", {}, "filled with", h("select", { "data-tool": "fill", onchange: e => state.set({ fill: e.target.value === "mean" ? null : e.target.value }, true) }, fills.map(([v, t]) => h("option", { value: v, selected: v === state.get("fill", "mean") }, t)))),
      h("label", {}, "watched layer", layerSelect(app, state.get("watch") || app.net().last, l => state.set({ watch: l }, true), l => l.shape[1] * l.shape[2] > 1)));
    if (focus) tools.querySelector(`[data-tool=${focus}]`)?.focus();
  }

  // The patch under the pointer: its corner, so that the pointer is in its middle.
  const corner = (y, x) => { const n = app.net().input, [a, b] = size(); return [Math.min(Math.max(Math.round(y - (a - 1) / 2), 0), n.H - a), Math.min(Math.max(Math.round(x - (b - 1) / 2), 0), n.W - b)]; };

  async function drawPicture() {
    picture = await pictures.run(signal => loaded(url("/api/input", where()), signal));
    const n = app.net().input;
    plane = new Plane("The picture with the patch. Arrow keys move the patch, + and − change its size.", {
      step: Math.max(Math.round(n.H / 56), 1),
      over(y, x, how) {
        if (mode() === "brush") { if (how === "press" || how === "drag") paint(y, x); else if (how === "key") paint(y, x); return; }
        follow(...corner(y, x), how);
      },
      wheel: by => mode() === "patch" && resize(-by),
    });
    plane.size(n.H, n.W, 420);
    plane.picture(picture);
    const hint = mode() === "brush" ? "Brush over what should be gone." : "Move over the picture: the patch follows, and each figure is that of its position. Turn the wheel to change its size.";
    put(left, plane.element, h("p", { class: "soft", id: "occlude-hint" }, hint));
    if (!brush || brush.width !== n.W || brush.height !== n.H) clearBrush(true);
  }

  // follow puts the patch at a place and asks for the figures there. While one place is computed only the newest waits: it
  // would take the turn from each before it, and a moving pointer would show nothing. What is under way for another
  // picture or patch is of no use any more, and is cancelled.
  function follow(y, x, how) {
    queued = [y, x, how];
    if (pending && pending !== JSON.stringify(settings(app))) latest.stop();
    const [a, b] = size();
    plane.clear();
    plane.frame([y, x, y + a, x + b], true);
    if (!pending) next();
  }
  async function next() {
    while (queued) {
      const [y, x, how] = queued;
      const asked = settings(app), key = JSON.stringify([asked, y, x]);
      queued = null; pending = JSON.stringify(asked);
      try {
        const s = await latest.run(signal => askJSON("/api/spot", { ...asked, y, x }, { signal }));
        spot = s; spotKey = key;
        showSpot();
        if (!place.isConnected) return;
        if (!queued) app.refreshCommand();
        if (how !== "move") { state.set({ y, x }, true); say(summary()); }
      } catch (err) { if (!isAbort(err)) put(right, problem(err)); }
      pending = "";
    }
  }
  const target = () => app.chosen() === null ? spot.clean.best : Number(app.chosen());
  const of = (list, k) => list.find(c => c.class === k);
  function summary() {
    const k = target(), now = of(spot.classes, k);
    return `${className(now.name)} ${shown(now)}, ${shown(of(spot.clean.top.concat(spot.clean.classes), k))} uncovered`;
  }
  function showSpot() {
    const s = spot, k = target(), clean = s.clean.top.concat(s.clean.classes.filter(c => !s.clean.top.some(t => t.class === c.class)));
    const list = clean.map(c => of(s.classes, c.class)), was = Object.fromEntries(clean.map(c => [c.class, c.probability ?? c.score]));
    if (s.best !== s.clean.best && !list.some(c => c.class === s.best)) list.push(s.top[0]);
    if (mode() === "patch") {
      const b = s.box, box = [b.Y0, b.X0, b.Y1, b.X1];
      plane.clear();
      plane.put(fromPixels(s.patch, b.Y1 - b.Y0, b.X1 - b.X0), box);
      plane.frame(box);
      plane.y = Math.round((b.Y0 + b.Y1 - 1) / 2); plane.x = Math.round((b.X0 + b.X1 - 1) / 2);
    }
    // What stays as it is between two places stays on the page.
    const l = s.layers?.[0], key = JSON.stringify([k, s.quantity, where(), mode(), l?.layer, app.chosen()]);
    if (said?.key !== key || !said.bars.isConnected) {
      said = { key, bars: h("div", {}), spot: h("p", { class: "num", id: "spot" }), total: h("p", { class: "num", id: "total" }), best: h("p", {}), took: h("p", { class: "soft num", id: "took" }) };
      put(right, h("h2", {}, s.quantity === "value" ? "Values with the cover" : "The network says, with the cover"), said.bars,
        h("p", { class: "soft" }, "The upright line is the value with nothing covered."), said.spot, l ? said.total : null, said.best, said.took, classPicker(app));
    }
    const now = bars(list, { target: k, was, quantity: s.quantity, choose: c => state.set({ class: c }) }, said.bars.firstChild);
    if (now !== said.bars.firstChild) put(said.bars, now);
    put(said.spot, mode() === "patch" ? `Patch at row ${s.box.Y0}, column ${s.box.X0}: ` : "", h("b", {}, summary()), ".");
    if (l) said.total.textContent = `Total of map ${l.map} of ${l.layer}: ${number(l.total)}, ${number(l.clean)} uncovered.`;
    said.best.hidden = s.best === s.clean.best;
    put(said.best, "The most probable class is now ", h("b", {}, className(s.best_name)), ".");
    said.took.textContent = `computed in ${s.took.toFixed(1)} ms`;
  }

  // The brush: a mask of the input's size.
  function clearBrush(quiet) {
    const n = app.net().input;
    brush = h("canvas", { width: n.W, height: n.H });
    mask = ""; painted = false;
    if (quiet !== true) sendBrush();
  }
  function paint(y, x) {
    const g = brush.getContext("2d"), r = state.int("brush", Math.max(Math.round(app.net().input.W / 16), 1)) / 2;
    g.fillStyle = "#f00";
    for (let dy = -Math.ceil(r); dy <= r; dy++) for (let dx = -Math.ceil(r); dx <= r; dx++) if (dy * dy + dx * dx <= r * r + 0.01) g.fillRect(x + dx, y + dy, 1, 1);
    painted = true;
    showBrush();
    sendBrush();
  }
  function showBrush() {
    plane.clear();
    const g = plane.top.getContext("2d");
    g.imageSmoothingEnabled = false; g.globalAlpha = 0.75;
    g.drawImage(brush, 0, 0, plane.top.width, plane.top.height);
    g.globalAlpha = 1;
  }
  const maskBlob = () => new Promise(done => brush.toBlob(done, "image/png"));
  let brushing = false, again = false;
  async function sendBrush() {
    if (brushing) { again = true; return; }
    brushing = true;
    do {
      again = false;
      try {
        const s = settings(app);
        const r = await ask("/api/mask", { ...s, patch: null, soft: null, stride: null, edge: null }, { method: "POST", body: await maskBlob(), headers: { "X-Viz": "1" } });
        const answer = await r.json();
        if (mode() !== "brush" || !place.isConnected) break;
        spot = answer; mask = painted ? spot.mask : "";
        showBrush(); showSpot();
        if (!again) { state.set({ mask }, true); app.refreshCommand(); }
      } catch (err) { if (!isAbort(err)) put(right, problem(err)); }
    } while (again);
    brushing = false;
  }
  // loadBrush shows the mask of the address.
  async function loadBrush() {
    const kept = await loaded(url("/api/mask", { net: state.int("net"), mask: state.get("mask") }));
    clearBrush(true);
    brush.getContext("2d").drawImage(kept, 0, 0);
    mask = state.get("mask"); painted = true;
  }

  // The whole map.
  function count() { const n = app.net().input, [a, b] = size(), [sy, sx] = stride(); return (Math.floor((n.H - a) / sy) + 1) * (Math.floor((n.W - b) / sx) + 1); }
  function drawScan() {
    const n = app.net().input, [sy, sx] = stride();
    const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Computing the map" }), text = h("span", { class: "num", id: "scan-text" });
    const strideInput = h("label", {}, "stride", h("input", { type: "number", value: sy, min: 1, max: Math.max(n.H, n.W), onchange: e => { const v = parseInt(e.target.value, 10); if (v >= 1) state.set({ stride: v }, true); } }));
    const button = h("button", { type: "button", class: "main", id: "scan", onclick: () => { clicked = true; run(); } }, `Compute the whole map: ${plural(count(), "position", "positions")}`);
    const end = h("button", { type: "button", hidden: true, id: "stop", onclick: () => stop?.() }, "Stop");
    const panels = h("div", { class: "panels" });
    put(scanTools, button, strideInput, bar, text, end);
    put(below, h("h2", {}, "The whole map"), panels, h("p", { class: "soft" }, "What the network says with the patch at each place. The button above computes it."));
    map = null;
    let clicked = false;
    function run() {
      stop?.();
      button.disabled = true; bar.hidden = end.hidden = false; text.textContent = "waiting for its turn";
      const s = settings(app), over = t => { stop = null; button.disabled = false; bar.hidden = end.hidden = true; text.textContent = t; };
      stop = listen("/api/scan", s, {
        begin(m) { begin(m, panels); below.lastChild.hidden = true; if (clicked) below.scrollIntoView({ block: "nearest" }); },
        progress(p) { bar.max = p.total; bar.value = p.done; text.textContent = `${p.done} of ${p.total}, ${seconds(p.left)} left`; },
        part(p) { add(p); },
        async done(d) { over(`done: ${plural(map.rows * map.cols, "position", "positions")}`); await finish(d, s); app.refreshCommand(); say("The map is computed"); },
        failed(err) { over(""); panels.prepend(problem(err)); },
        stopped() { over("stopped"); },
      });
    }
    if (state.get("scan") === "1") run();
  }
  function begin(m, panels) {
    map = { ...m, prob: new Float32Array(m.rows * m.cols).fill(NaN), total: new Float32Array(m.rows * m.cols).fill(NaN), best: new Int32Array(m.rows * m.cols).fill(-1), names: {} };
    state.set({ scan: 1 }, true);
    const one = (title, note) => {
      const p = new Plane(title + ". Arrow keys move the patch.", { over: (r, c, how) => { if (plane && mode() === "patch") follow(m.ys[r], m.xs[c], how); p.note.textContent = at(r, c); } });
      p.size(m.rows, m.cols, 230);
      p.note = h("figcaption", { class: "num" }, note); p.bar = h("div", {});
      p.figure = h("figure", {}, h("h2", {}, title), p.element, p.bar, p.note);
      return p;
    };
    const at = (r, c) => { const i = r * m.cols + c; return Number.isNaN(map.prob[i]) ? "not computed yet" : `row ${m.ys[r]}, column ${m.xs[c]}: ${m.quantity === "value" ? number(map.prob[i]) : percent(map.prob[i])}, ${map.names[map.best[i]] ?? ""}${m.layers.length ? ", total " + number(map.total[i]) : ""}`; };
    map.panels = { prob: one((m.quantity === "value" ? "Value of " : "Probability of ") + className(m.class_name), "Point at a place: the patch goes there."), best: one("Most probable class", "") };
    if (m.layers.length) map.panels.total = one(`Total of map ${m.layers[0].map} of ${m.layers[0].layer}`, "");
    put(panels, ...[map.panels.total, map.panels.prob, map.panels.best].filter(Boolean).map(p => p.figure), map.loss = h("figure", {}));
  }
  function add(p) {
    p.at.forEach((i, k) => { map.prob[i] = p.prob[k]; map.best[i] = p.best[k]; if (p.total) map.total[i] = p.total[k]; });
    Object.assign(map.names, p.names);
    const range = v => v.reduce(([lo, hi], x) => Number.isNaN(x) ? [lo, hi] : [Math.min(lo, x), Math.max(hi, x)], [Infinity, -Infinity]);
    for (const [name, values, clean] of [["prob", map.prob, map.clean], ["total", map.total, map.layers[0]?.clean]]) {
      const panel = map.panels[name];
      if (!panel) continue;
      const [lo, hi] = range(values);
      heat(panel.canvas, values, map.rows, map.cols, lo, hi, "viridis");
      panel.canvas.classList.add("px");
      put(panel.bar, scalebar("viridis", lo, hi, "uncovered: " + number(clean)));
    }
    const c = map.panels.best.canvas, img = new ImageData(map.cols, map.rows), there = new Map();
    c.width = map.cols; c.height = map.rows; c.classList.add("px");
    map.best.forEach((b, i) => { if (b >= 0) { img.data.set([...classColor(b), 255], 4 * i); there.set(b, (there.get(b) || 0) + 1); } });
    c.getContext("2d").putImageData(img, 0, 0);
    put(map.panels.best.bar, h("div", { class: "legend" }, [...there].sort((a, b) => b[1] - a[1]).slice(0, 8).map(([b, n]) => { const i = h("i", {}); i.style.background = `rgb(${classColor(b)})`; return h("span", {}, i, map.names[b] + " " + n); })));
  }
  async function finish(d, s) {
    const n = app.net().input, loss = await askFloats("/api/loss", s), most = Math.max(Math.abs(d.drop[0]), Math.abs(d.drop[1]), 0.01);
    const p = new Plane("Mean loss of each pixel, over the picture", { over: (y, x, how) => { note.textContent = `row ${y}, column ${x}: loss ${number(loss[y * n.W + x])}`; if (mode() === "patch") follow(...corner(y, x), how); } });
    p.size(n.H, n.W, 230);
    p.picture(picture);
    const over = h("canvas", {});
    heat(over, loss, n.H, n.W, -most, most, "diverging", 150);
    const g = p.top.getContext("2d");
    g.imageSmoothingEnabled = false;
    g.drawImage(over, 0, 0, p.top.width, p.top.height);
    const b = d.lowest[0], note = h("figcaption", { class: "num" }, `Lowest under the patch at row ${b.Y0}, column ${b.X0} (framed).`);
    p.frame([b.Y0, b.X0, b.Y1, b.X1]);
    put(map.loss, h("h2", {}, "Loss by pixel"), p.element, scalebar("diverging", -most, most, "mean loss under the patches"), note,
      h("p", {}, h("a", { href: url("/api/figure", { ...s, kind: "occlusion" }), target: "_blank", rel: "noopener" }, "All panels as one figure")));
  }

  return {
    async update() {
      if (!app.picture()) { put(place, h("p", {}, "No picture yet. Drop one anywhere on this page, paste one, or use “Add a picture”.")); return; }
      drawTools();
      await guard(right, async () => {
        const w = where(), pk = [w.net, w.image, mode()].join("|");
        if (pk !== pictureKey) { await drawPicture(); pictureKey = pk; spotKey = ""; } else pictures.stop();
        if (mode() === "patch") {
          const n = app.net().input, [a, b] = size();
          const y = Math.min(state.int("y", Math.round((n.H - a) / 2)), n.H - a), x = Math.min(state.int("x", Math.round((n.W - b) / 2)), n.W - b);
          if (spotKey !== JSON.stringify([settings(app), y, x])) follow(y, x, "set");
        } else {
          if (!brushing && state.get("mask") !== mask) { if (state.get("mask")) await loadBrush(); else clearBrush(true); spotKey = ""; }
          if (spotKey !== "brush" + JSON.stringify(settings(app))) { spotKey = "brush" + JSON.stringify(settings(app)); await sendBrush(); }
        }
        const sk = JSON.stringify(settings(app));
        if (sk !== scanKey) { if (scanKey) { stop?.(); state.set({ scan: null }, true); } scanKey = sk; drawScan(); }
      });
    },
    command() {
      if (!app.picture()) return [];
      const s = { ...settings(app), kind: "occlusion" };
      if (mode() === "brush") return state.get("mask") ? [["mask", { ...s, patch: null, stride: null, soft: null, edge: null, method: "box", mask: state.get("mask") }]] : [];
      const b = spot?.box;
      return [["whole map", s], ...(b ? [["this place", { ...s, stride: null, position: b.Y0 + "," + b.X0, method: "box" }]] : [])];
    },
    key(k) {
      if (k === "+" || k === "-" || k === "−") resize(k === "+" ? 1 : -1);
      else if (k === "Escape" && stop) stop();
      else return false;
      return true;
    },
    end() { stop?.(); queued = null; latest.stop(); pictures.stop(); },
  };
}
export default { title: "Occlude", hint: "Brush over what should be gone: the command that does the same will be here.", open };
