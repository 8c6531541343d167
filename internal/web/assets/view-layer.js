// All maps of a layer, one of them in large, and the unit under a click: what it sees, and what it answers to elsewhere.
import { h, put, state, ask, askJSON, askFloats, url, guard, listen, problem, Latest, number, plural, seconds, say } from "./base.js";
import { Plane, scalebar, loaded, fromBase64 } from "./draw.js";

const side = 66; // pixels of a tile on the page

// layerSelect chooses a layer: all by name, those with a number first.
export function layerSelect(app, value, choose, only) {
  const n = app.net(), has = l => !only || only(l);
  const option = l => h("option", { value: l.name, selected: l.name === value }, (l.number ? l.number + ": " : "") + l.name + " · " + l.shape.join("×"));
  return h("select", { "aria-label": "Layer", "data-search": "", onchange: e => choose(e.target.value) },
    h("optgroup", { label: "by number" }, n.layers.filter(l => l.number && has(l)).map(option)),
    h("optgroup", { label: only ? "others" : "all" }, only ? null : h("option", { value: n.input.Name, selected: n.input.Name === value }, n.input.Name + " · the input"), n.layers.filter(l => !l.number && has(l)).map(option)));
}

// pick is a choice between few, as buttons.
export function pick(label, choices, value, choose) {
  return h("fieldset", { class: "pick", role: "radiogroup", "aria-label": label }, h("span", {}, label),
    choices.map(([v, text]) => h("button", { type: "button", role: "radio", "aria-checked": String(v === value), onclick: () => choose(v) }, text)));
}

function open(place, app) {
  const tools = h("div", { class: "tools" }), grid = h("div", { class: "card" }), right = h("div", { class: "card" }), below = h("div", { class: "card" });
  place.append(tools, h("div", { class: "split" }, grid, h("div", {}, right)), below);
  const latest = { maps: new Latest(), map: new Latest(), unit: new Latest() };
  let maps = null, mapsKey = "", mapKey = "", unitKey = "", topKey = "", sheet = null, order = [], values = null, plane = null, stop = null;

  // A layer may be named by its number, as --layer has it.
  const layerName = () => { const v = state.get("layer"); return app.net().layers.find(l => v && String(l.number) === v)?.name ?? (v || app.net().last); };
  const where = () => ({ net: state.int("net"), image: state.int("image"), layer: layerName() });
  const spatial = () => maps.shape[1] * maps.shape[2] > 1;

  function drawTools() {
    put(tools, h("label", {}, "Layer", layerSelect(app, layerName(), l => state.set({ layer: l, map: null, y: null, x: null }))),
      pick("Order", [["strong", "strongest first"], ["number", "by number"]], state.get("order", "strong"), v => state.set({ order: v === "strong" ? null : v })),
      pick("Scale", [["layer", "of the layer"], ["map", "of each map"]], state.get("scale", "layer"), v => state.set({ scale: v === "layer" ? null : v })));
  }

  async function loadMaps() {
    const w = { ...where(), scale: state.get("scale", "layer") };
    [maps, sheet] = await latest.maps.run(signal => Promise.all([askJSON("/api/maps", w, { signal }), loaded(url("/api/tiles", w), signal)]));
    drawGrid();
  }

  function drawGrid() {
    const m = maps, tile = spatial() ? side : 18, gap = 4;
    order = m.maps.map(f => f.map);
    if (state.get("order", "strong") === "strong") order.sort((a, b) => m.maps[b].max - m.maps[a].max || a - b);
    const holder = h("div", { class: "tiles", tabIndex: 0, role: "listbox", "aria-label": "Maps of " + m.layer + ". Arrow keys choose." });
    put(grid, h("h2", {}, plural(m.shape[0], "map", "maps") + " of " + m.layer + (spatial() ? ", each " + m.shape[1] + "×" + m.shape[2] : ", one value each")), holder,
      m.scale === "map" && spatial() ? h("p", { class: "soft" }, "Each map on its own scale, to its largest magnitude.") : scalebar(m.signed ? "diverging" : "viridis", m.lo, m.hi, "activation, one scale for the layer"),
      m.reduced ? h("p", { class: "soft" }, "Tiles are made smaller: each pixel is the largest magnitude of " + m.reduced + "×" + m.reduced + " values.") : null);
    const canvas = h("canvas", { "aria-hidden": "true" });
    holder.append(canvas);
    const columns = Math.max(Math.floor((holder.clientWidth - 14) / (tile + gap)), 1), rows = Math.ceil(order.length / columns);
    canvas.width = columns * (tile + gap); canvas.height = rows * (tile + gap);
    const paint = () => {
      const g = canvas.getContext("2d");
      g.clearRect(0, 0, canvas.width, canvas.height);
      g.imageSmoothingEnabled = false;
      const [th, tw] = m.tile, k = Math.min(tile / th, tile / tw);
      order.forEach((map, i) => {
        const x = i % columns * (tile + gap), y = Math.floor(i / columns) * (tile + gap);
        g.drawImage(sheet, map % m.columns * tw, Math.floor(map / m.columns) * th, tw, th, x + 2, y + 2, tw * k, th * k);
        if (map === current()) {
          g.lineWidth = 3; g.strokeStyle = "#000"; g.strokeRect(x + 1.5, y + 1.5, tw * k + 1, th * k + 1);
          g.lineWidth = 1.5; g.strokeStyle = "#fff"; g.strokeRect(x + 1.5, y + 1.5, tw * k + 1, th * k + 1);
        }
      });
      const at = order.indexOf(current());
      holder.setAttribute("aria-label", `Maps of ${m.layer}. Arrow keys choose. Map ${current()} is chosen, strongest activation ${number(m.maps[current()].max)}`);
      const y = Math.floor(at / columns) * (tile + gap);
      if (y < holder.scrollTop || y + tile > holder.scrollTop + holder.clientHeight) holder.scrollTop = y - holder.clientHeight / 2;
    };
    const at = e => {
      const b = canvas.getBoundingClientRect();
      return order[Math.floor((e.clientY - b.top) / (tile + gap)) * columns + Math.min(Math.floor((e.clientX - b.left) / (tile + gap)), columns - 1)];
    };
    const choose = map => { if (map !== undefined) state.set({ map, y: null, x: null }, true); };
    canvas.addEventListener("click", e => choose(at(e)));
    canvas.addEventListener("pointermove", e => { const k = at(e); canvas.title = k === undefined ? "" : `map ${k}: strongest ${number(m.maps[k].max)}, mean ${number(m.maps[k].mean)}`; });
    holder.addEventListener("keydown", e => {
      const d = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[e.key];
      if (!d) return;
      e.preventDefault();
      choose(order[Math.min(Math.max(order.indexOf(current()) + d, 0), order.length - 1)]);
    });
    grid.paint = paint;
    paint();
  }

  // current is the map in large: the strongest, unless another was chosen.
  function current() {
    const k = state.int("map", -1);
    if (k >= 0 && k < maps.shape[0]) return k;
    return maps.maps.reduce((best, f) => f.max > maps.maps[best].max ? f.map : best, 0);
  }
  // unit is the place that is projected: the map's strongest, unless another was clicked.
  function unit() {
    const f = maps.maps[current()], y = state.int("y", -1), x = state.int("x", -1);
    return y >= 0 && x >= 0 && y < maps.shape[1] && x < maps.shape[2] ? [y, x] : [f.y, f.x];
  }

  const reading = h("p", { class: "num", id: "reading" }), unitPlace = h("div", {});
  async function drawMap() {
    const m = maps, k = current(), f = m.maps[k];
    values = await latest.map.run(signal => askFloats("/api/map", { ...where(), map: k }, { signal }));
    plane = new Plane(`Map ${k} of ${m.layer}. Arrow keys move the unit.`, { over(y, x, how) {
      read(y, x);
      if (how !== "move") { state.set({ map: k, y, x }, true); }
    }, leave() { const [y, x] = unit(); read(y, x); } });
    plane.size(m.shape[1], m.shape[2], 300);
    let lo = m.lo, hi = m.hi;
    if (m.scale === "map") { hi = m.signed ? Math.max(f.max, -f.min) : f.max; lo = m.signed ? -hi : 0; }
    plane.values(values, lo, hi, m.signed ? "diverging" : "viridis");
    const which = h("input", { type: "number", id: "map", min: 0, max: m.shape[0] - 1, value: k, onchange: e => { const v = parseInt(e.target.value, 10); if (v >= 0 && v < m.shape[0]) state.set({ map: v, y: null, x: null }, true); else e.target.value = k; } });
    const typing = document.activeElement?.id === "map";
    put(right, h("div", { class: "tools" }, h("h2", {}, "Map " + k), h("label", {}, "Number", which), h("span", { class: "soft" }, `of 0 to ${m.shape[0] - 1}`),
      m.layer === app.net().input.Name ? null : h("button", { type: "button", onclick: () => below.scrollIntoView({ block: "nearest" }) }, "What it answers to elsewhere ↓")), plane.element, scalebar(m.signed ? "diverging" : "viridis", lo, hi, "activation"), reading, unitPlace);
    if (typing) which.focus();
    mark();
  }
  function read(y, x) {
    const v = values[y * maps.shape[2] + x];
    reading.textContent = spatial() ? `Row ${y}, column ${x}: ${number(v)}. Strongest: ${number(maps.maps[current()].max)} at row ${maps.maps[current()].y}, column ${maps.maps[current()].x}.` : `Value ${number(v)}.`;
  }
  function mark() {
    const [y, x] = unit();
    plane.y = y; plane.x = x;
    plane.clear();
    plane.frame([y, x, y + 1, x + 1]);
    read(y, x);
  }

  // seenPicture is what the network sees of the picture, which stays the same from unit to unit.
  let pictureKey = "", pictureSeen = null;
  async function seenPicture() {
    const w = { net: state.int("net"), image: state.int("image") }, key = w.net + "|" + w.image;
    if (key !== pictureKey) { const came = await loaded(url("/api/input", w)); pictureSeen = came; pictureKey = key; return came; }
    return pictureSeen;
  }

  async function drawUnit() {
    const m = maps, k = current(), [y, x] = unit(), rule = state.get("rule", "deconv");
    const head = h("div", { class: "tools" }, h("h2", { id: "unit-title" }, `Unit ${m.layer}:${k}:${y}:${x}`), pick("Rule", [["deconv", "deconv"], ["guided", "guided"], ["gradient", "gradient"]], rule, r => state.set({ rule: r === "deconv" ? null : r })));
    if (m.layer === app.net().input.Name) { put(unitPlace, h("p", { class: "soft" }, "This is the input itself: there is nothing to project.")); return; }
    try {
      const u = await latest.unit.run(signal => askJSON("/api/unit", { ...where(), layer: null, unit: `${m.layer}:${k}:${y}:${x}`, rule }, { signal }));
      const n = u.numbers, b = n.box, rows = b.Y1 - b.Y0, cols = b.X1 - b.X0;
      const [patch, projection, image] = await Promise.all([fromBase64(u.patch), fromBase64(u.projection), seenPicture()]);
      const tile = (bitmap, label) => {
        const c = h("canvas", { width: bitmap.width, height: bitmap.height, role: "img", "aria-label": label });
        c.getContext("2d").drawImage(bitmap, 0, 0);
        if (bitmap.width < 160) c.classList.add("px");
        c.style.width = Math.round(bitmap.width * Math.min(190 / Math.max(bitmap.width, bitmap.height), 12)) + "px";
        return c;
      };
      const seen = tile(image, `The picture with the receptive field: rows ${b.Y0} to ${b.Y1 - 1}, columns ${b.X0} to ${b.X1 - 1}`);
      const framed = new Plane("", {});
      framed.size(image.height, image.width, 190);
      framed.picture(image);
      framed.frame([b.Y0, b.X0, b.Y1, b.X1]);
      framed.canvas.setAttribute("role", "img");
      framed.canvas.setAttribute("aria-label", seen.getAttribute("aria-label"));
      framed.canvas.removeAttribute("aria-roledescription");
      framed.canvas.removeAttribute("tabindex");
      put(unitPlace, head, n.value === 0 ? h("p", {}, "Activation 0: the unit does not fire, so there is nothing to project.") : null,
        h("div", { class: "pair" }, h("figure", {}, framed.element, h("figcaption", {}, `What it sees: ${rows}×${cols} pixels`)),
          h("figure", {}, tile(patch, "The patch"), h("figcaption", {}, "The patch")),
          h("figure", {}, tile(projection, "The projection of the unit to pixels"), h("figcaption", {}, `Projection, activation ${number(n.value)}`))),
        scalebar("gray", -n.scale, n.scale, "input units; 0 is mid-grey"));
      say(`Unit at row ${y}, column ${x}: activation ${number(n.value)}`);
    } catch (err) {
      if (err.name === "AbortError") return;
      put(unitPlace, head, problem(err));
    }
  }

  async function drawTop() {
    const k = current(), layer = maps.layer, rule = state.get("rule", "deconv");
    if (layer === app.net().input.Name) { put(below); return; }
    const head = h("h2", {}, `What map ${k} of ${layer} answers to`);
    if (stop && topKey.startsWith(layer + "|")) return; // a scan is under way
    const s = await askJSON("/api/index", { net: state.int("net"), layer }).catch(err => ({ error: err }));
    if (current() !== k || maps.layer !== layer) return;
    if (s.error) { put(below, head, problem(s.error)); return; }
    if (s.ready) {
      const f = s.maps[k];
      const settings = { kind: "top", net: state.int("net"), layer, maps: k, rule };
      const img = h("img", { class: "figure", alt: `The strongest activations of map ${k} over the pictures: patches and projections`, src: url("/api/figure", settings) });
      img.onerror = () => guard(place2, () => ask("/api/figure", settings));
      const place2 = h("div", {}, img);
      put(below, head, h("p", {}, f.dead ? "It fires in none of the pictures." : `It fires in ${(100 * f.fired).toFixed(0)} % of ${plural(s.pictures, "picture", "pictures")}; strongest ${number(f.max)}.`), f.dead ? null : place2);
      return;
    }
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Scanning" }), text = h("span", { class: "num" });
    const button = h("button", { type: "button", class: "main", id: "scan-index", onclick: scan }, `Find its strongest activations in ${plural(s.pictures, "picture", "pictures")}`);
    const end = h("button", { type: "button", hidden: true, onclick: () => stop?.() }, "Stop");
    bar.hidden = true;
    put(below, head, h("p", {}, "All maps of the layer are scanned at once, and the result is kept."), h("div", { class: "tools" }, button, bar, text, end));
    function scan() {
      button.disabled = true; bar.hidden = end.hidden = false;
      const over = () => { stop = null; topKey = ""; };
      stop = listen("/api/index/scan", { net: state.int("net"), layer }, {
        progress(p) { bar.max = p.total; bar.value = p.done; text.textContent = `${p.done} of ${p.total}, ${seconds(p.left)} left`; },
        done() { over(); guard(below, drawTop); },
        failed(err) { over(); put(below, head, problem(err)); },
        stopped() { over(); guard(below, drawTop); },
      });
    }
  }

  return {
    async update() {
      if (!app.picture()) { put(place, h("p", {}, "No picture yet. Drop one anywhere on this page, paste one, or use “Add a picture”.")); return; }
      drawTools();
      await guard(grid, async () => {
        const w = where(), key = [w.net, w.image, w.layer, state.get("scale")].join("|");
        if (key !== mapsKey) { await loadMaps(); mapsKey = key; mapKey = unitKey = ""; }
        else { latest.maps.stop(); if (grid.order !== state.get("order")) drawGrid(); }
        grid.order = state.get("order");
        const mk = mapsKey + "|" + current();
        grid.paint();
        if (mk !== mapKey) { await drawMap(); mapKey = mk; } else { latest.map.stop(); mark(); } // back before another map has come
        const uk = mk + "|" + unit() + "|" + state.get("rule");
        if (uk !== unitKey) { unitKey = uk; drawUnit(); }
        const tk = maps.layer + "|" + state.int("net") + "|" + current() + "|" + state.get("rule");
        if (tk !== topKey) { topKey = tk; await guard(below, drawTop); }
      });
      app.refreshCommand();
    },
    command() {
      if (!maps || !mapKey || maps.layer === app.net().input.Name) return [];
      const [y, x] = unit(), l = maps.layer, rule = state.get("rule");
      return [["unit", { kind: "unit", unit: `${l}:${current()}:${y}:${x}`, rule }], ["all maps", { kind: "activations", layer: l, scale: state.get("scale") }], ["strongest activations", { kind: "top", layer: l, maps: current(), rule }]];
    },
    key(k) { if (k === "Escape" && stop) { stop(); return true; } return false; },
    end() { stop?.(); Object.values(latest).forEach(l => l.stop()); },
  };
}
export default { title: "Layer", hint: "", open };
