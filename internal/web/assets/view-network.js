// The network as a graph, from the input to the scores.
import { h, put, state, askJSON, guard, count, plural } from "./base.js";

const W = 196, H = 66, BW = 168, BH = 40; // a box's place and its size

const kinds = { Conv: "conv", ConvTranspose: "conv", MaxPool: "pool", AvgPool: "pool", GlobalAvgPool: "pool", Pool: "pool",
  Add: "join", Concat: "join", Binary: "join", Dense: "dense", MatMul: "dense" };

function open(place, app) {
  const svg = h("svg", { preserveAspectRatio: "xMidYMin meet", role: "group", "aria-label": "Graph of the network" });
  const side = h("div", { class: "side card" });
  const search = h("input", { type: "search", "data-search": "", placeholder: "Search layers ( / )", "aria-label": "Search layers by name", oninput: find, onkeydown: e => { if (e.key === "Enter") enter(); if (e.key === "Escape") search.blur(); } });
  const groups = h("div", {});
  const tools = h("div", { class: "tools" }, search, h("button", { type: "button", "aria-label": "Larger", onclick: () => zoom(0.8) }, "+"),
    h("button", { type: "button", "aria-label": "Smaller", onclick: () => zoom(1.25) }, "−"), h("button", { type: "button", onclick: fit }, "Fit"), h("span", { class: "soft", id: "found" }), groups);
  place.append(h("div", { class: "netview" }, h("div", {}, tools, h("div", { class: "graph card" }, svg)), side));
  let box = [0, 0, 100, 100], whole = box, graph = null, drawn = null;

  const setBox = b => { box = b; svg.setAttribute("viewBox", b.join(" ")); };
  function fit() { setBox(whole.slice()); }
  function zoom(by, cx = 0.5, cy = 0.5) {
    const [x, y, w, hh] = box, nw = Math.min(Math.max(w * by, 150), whole[2] * 4), nh = hh * nw / w;
    setBox([x + (w - nw) * cx, y + (hh - nh) * cy, nw, nh]);
  }
  svg.addEventListener("wheel", e => {
    e.preventDefault();
    const b = svg.getBoundingClientRect();
    if (e.ctrlKey || !e.shiftKey) zoom(e.deltaY > 0 ? 1.15 : 0.87, (e.clientX - b.left) / b.width, (e.clientY - b.top) / b.height);
  }, { passive: false });
  // Drag to move; two fingers to zoom.
  const fingers = new Map();
  let moved = false;
  svg.addEventListener("pointerdown", e => { fingers.set(e.pointerId, e); moved = false; });
  svg.addEventListener("pointermove", e => {
    const from = fingers.get(e.pointerId);
    if (!from) return;
    const b = svg.getBoundingClientRect(), k = Math.max(box[2] / b.width, box[3] / b.height);
    if (Math.abs(e.clientX - from.clientX) + Math.abs(e.clientY - from.clientY) > 3) { moved = true; svg.setPointerCapture(e.pointerId); }
    if (fingers.size === 1) setBox([box[0] - (e.clientX - from.clientX) * k, box[1] - (e.clientY - from.clientY) * k, box[2], box[3]]);
    else if (fingers.size === 2) {
      const other = [...fingers.values()].find(f => f.pointerId !== e.pointerId), d = f => Math.hypot(f.clientX - other.clientX, f.clientY - other.clientY);
      zoom(d(from) / Math.max(d(e), 1));
    }
    if (moved) fingers.set(e.pointerId, e);
  });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, e => fingers.delete(e.pointerId));

  function about(b) {
    const l = b.layer;
    if (!l) {
      put(side, h("h2", {}, b.Title), h("p", {}, b.count > 1 ? plural(b.count, "layer", "layers") + ", " + count(b.weights) + " weights, output " + b.output + ". Click to open the group." : "The input, " + b.output + "."));
      return;
    }
    const field = l.receptive_field[0] ? l.receptive_field.join("×") + " pixels" + (l.stride[0] ? ", every " + l.stride.join("×") : "") : "the whole image";
    const row = (k, v) => v ? h("tr", {}, h("th", { scope: "row" }, k), h("td", {}, v)) : null;
    put(side, h("h2", {}, l.name), h("table", {}, h("tbody", {},
      row("Kind", l.kind + (l.attributes ? " (" + l.attributes + ")" : "")), row("Number", l.layer ? "--layer " + l.layer : ""), row("Output", l.output), row("Reads", l.inputs.join(", ")),
      row("Weights", count(l.weights)), row("Multiply-adds", count(l.macs)), row("Sees", field),
      row("Rules", b.rules.map(r => h("div", {}, r.rule + ": ", r.problem ? "refused: " + r.problem : "leads down from here"))))));
  }
  function overview() {
    const n = app.net();
    put(side, h("h2", {}, n.name), h("p", {}, plural(n.layers.length, "layer", "layers") + ", " + count(graph.weights) + " weights, " + count(graph.macs) + " multiply-adds an image; " + n.classes_text + "."),
      h("p", {}, "What happens to pixels: " + graph.steps.join("; ") + "."),
      n.pixels_stated ? null : h("p", {}, "Nobody has said how pixels become this network's input: they go in as 0 to 255. If the classes look wrong, start with --preprocess."),
      h("p", { class: "soft" }, "Point at a layer to read about it. Click it to see its maps. Drag to move, turn the wheel to zoom."));
  }

  function choose(b) {
    if (b.count > 1) state.set({ open: [...state.all("open"), b.Title] });
    else state.set({ view: "layer", layer: b.layer ? b.Title : app.net().input.Name, map: null, y: null, x: null });
  }
  function draw() {
    const X = x => x * W, Y = y => y * H;
    const edges = graph.lines.map(l => {
      const p = l.Points.map(([x, y]) => [X(x), Y(y) + H / 2]);
      let d = "M" + p[0];
      if (p.length === 2) d += `C${p[0][0]},${(p[0][1] + p[1][1]) / 2} ${p[1][0]},${(p[0][1] + p[1][1]) / 2} ${p[1]}`;
      else d += `C${p[1][0]},${p[0][1]} ${p[1]} ${p[1]}L${p[2]}C${p[2]} ${p[2][0]},${p[3][1]} ${p[3]}`;
      return h("path", { class: "edge", d });
    });
    const nodes = graph.boxes.map((b, i) => {
      const kind = b.layer ? kinds[b.layer.kind] || "act" : b.count > 1 ? "group" : "act";
      const line = b.layer ? b.layer.kind + " · " + b.output : b.count > 1 ? b.count + " layers · " + b.output : "input · " + b.output;
      const short = (t, n) => t.length > n ? "…" + t.slice(1 - n) : t;
      return h("g", { class: "node k-" + kind, tabindex: 0, role: "button", "aria-label": short(b.Title, 23) + " " + short(line, 29), "data-box": i, transform: `translate(${X(b.X)},${Y(b.Y) + H / 2})`,
        onclick: () => { if (!moved) choose(b); }, onfocus: () => about(b), onpointerenter: () => about(b),
        onkeydown: e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); choose(b); } } },
      h("title", {}, b.Title), h("rect", { x: -BW / 2, y: -BH / 2, width: BW, height: BH, rx: 6 }), h("text", { y: -3 }, short(b.Title, 23)), " ", h("text", { class: "small", y: 12 }, short(line, 29)));
    });
    put(svg, ...edges, ...nodes);
    const w = Math.max((graph.right - graph.left) * W + 40, 240), hh = Math.max(graph.bottom * H + 20, 120);
    whole = [graph.left * W - 20, -10, w, hh];
    // A long chain is shown from its beginning, at a size that can be read.
    const b = svg.getBoundingClientRect(), ratio = b.height / Math.max(b.width, 1);
    const readable = Math.max(w, b.width / 1.15);
    if (hh > readable * ratio) setBox([whole[0] + w / 2 - readable / 2, -10, readable, readable * ratio]);
    else fit();
    put(groups, ...state.all("open").map(t => h("button", { type: "button", class: "group", onclick: () => state.set({ open: state.all("open").filter(o => o !== t && !o.startsWith(t + ".")) }) }, "Close " + t)));
  }
  function matches() {
    const q = search.value.trim().toLowerCase();
    return q ? graph.boxes.map((b, i) => [b, i]).filter(([b]) => b.Title.toLowerCase().includes(q) || app.net().layers.slice(Math.max(b.From - 1, 0), b.To - 1).some(l => l.name.toLowerCase().includes(q) || l.kind.toLowerCase() === q)) : [];
  }
  function find() {
    const m = matches(), on = new Set(m.map(([, i]) => i));
    svg.querySelectorAll(".node").forEach((n, i) => n.classList.toggle("found", on.has(i)));
    place.querySelector("#found").textContent = search.value.trim() ? plural(m.length, "match", "matches") : "";
    if (m.length) { const b = m[0][0]; setBox([b.X * W - box[2] / 2, b.Y * H + H / 2 - box[3] / 2, box[2], box[3]]); about(b); }
  }
  function enter() { const m = matches(); if (m.length) choose(m[0][0]); }

  return {
    async update() {
      const now = () => state.int("net") + "|" + state.all("open").join("|"), key = now();
      if (drawn !== key) await guard(side, async () => {
        const answer = await askJSON("/api/graph", { net: state.int("net"), open: state.all("open") });
        if (now() !== key) return; // another graph was chosen meanwhile
        graph = answer;
        drawn = key;
        draw();
        overview();
      });
    },
    key(k) { if (k === "+") zoom(0.8); else if (k === "-" || k === "−") zoom(1.25); else return false; return true; },
  };
}
export default { title: "Network", hint: "Choose a layer to see its maps.", open };
