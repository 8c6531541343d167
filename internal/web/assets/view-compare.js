// Two pictures, or two networks on one picture, side by side: one patch and one pointer on both.
import { h, put, state, askJSON, askFloats, url, guard, problem, number, shown, isAbort } from "./base.js";
import { Plane, loaded, fromPixels, scalebar } from "./draw.js";
import { bars } from "./view-image.js";
import { patchSize } from "./view-occlude.js";

function open(place, app) {
  const tools = h("div", { class: "tools" }), row = h("div", { class: "cols" });
  place.append(tools, h("p", { class: "soft" }, "Move over one picture: the patch goes over both, at the same place. Below, one map of the layer that the view Layer shows."), row);
  let sides = [], key = "";
  const second = () => ({ net: state.int("net2", app.info.nets.length > 1 ? 1 - Math.min(state.int("net"), 1) : state.int("net")), image: state.int("image2", app.info.nets.length > 1 ? state.int("image") : (app.pictures.find(p => p.number !== state.int("image"))?.number ?? state.int("image"))) });

  function drawTools() {
    const s = second();
    put(tools, h("label", {}, "Beside it, picture", h("select", { onchange: e => state.set({ image2: e.target.value }) }, app.pictures.filter(p => !p.gone).map(p => h("option", { value: p.number, selected: p.number === s.image }, p.title + (p.label ? " (" + p.label + ")" : ""))))),
      app.info.nets.length > 1 ? h("label", {}, "network", h("select", { onchange: e => state.set({ net2: e.target.value }) }, app.info.nets.map((n, i) => h("option", { value: i, selected: i === s.net }, n.name)))) : h("span", { class: "soft" }, "Start viz serve with a second --model to compare networks."));
  }

  // Each side: a picture under the patch, bars, and a map.
  async function side(w, i) {
    const net = app.info.nets[w.net], n = net.input, card = h("div", { class: "card" });
    const s = { w, net, card, plane: null, says: h("div", {}), map: h("div", {}), busy: false, queued: null };
    const picture = await loaded(url("/api/input", w));
    const move = (fy, fx) => sides.forEach(o => follow(o, fy, fx));
    s.plane = new Plane(`Picture ${i + 1} with the patch. Arrow keys move it.`, { over: (y, x) => move((y + 0.5) / n.H, (x + 0.5) / n.W), step: Math.max(Math.round(n.H / 56), 1) });
    s.plane.size(n.H, n.W, 300);
    s.plane.picture(picture);
    const title = app.pictures.find(p => p.number === w.image)?.title ?? "";
    card.append(h("h2", {}, title + " · " + net.name), s.plane.element, s.says, s.map);
    return s;
  }
  function box(s, fy, fx) {
    const n = s.net.input, own = patchSize(app), main = app.net().input;
    const a = Math.max(Math.round(own[0] * n.H / main.H), 1), b = Math.max(Math.round(own[1] * n.W / main.W), 1);
    const y = Math.min(Math.max(Math.round(fy * n.H - a / 2), 0), n.H - a), x = Math.min(Math.max(Math.round(fx * n.W - b / 2), 0), n.W - b);
    return [y, x, y + a, x + b];
  }
  async function follow(s, fy, fx) {
    s.queued = [fy, fx];
    const b = box(s, fy, fx);
    s.plane.clear(); s.plane.frame(b, true);
    s.plane.y = Math.floor(fy * s.net.input.H); s.plane.x = Math.floor(fx * s.net.input.W);
    s.read?.(fy, fx);
    if (s.busy) return;
    s.busy = true;
    while (s.queued) {
      const [y0, x0, y1, x1] = box(s, ...s.queued);
      s.queued = null;
      try {
        const r = await askJSON("/api/spot", { ...s.w, y: y0, x: x0, patch: (y1 - y0) + "x" + (x1 - x0), fill: state.get("fill") });
        const was = Object.fromEntries(r.clean.top.map(c => [c.class, c.probability ?? c.score]));
        s.box = [y0, x0]; s.patch = (y1 - y0) + "x" + (x1 - x0);
        if (!s.queued) app.refreshCommand();
        s.plane.clear(); s.plane.put(fromPixels(r.patch, y1 - y0, x1 - x0), [y0, x0, y1, x1]); s.plane.frame([y0, x0, y1, x1]);
        const now = bars(r.clean.top.map(c => r.classes.find(k => k.class === c.class)), { target: r.clean.best, was, quantity: r.quantity }, s.says.firstChild);
        if (now !== s.says.firstChild) put(s.says, now);
      } catch (err) { if (!isAbort(err)) put(s.says, problem(err)); }
    }
    s.busy = false;
  }
  async function drawMap(s) {
    const name = state.get("layer"), layer = s.net.layers.some(l => l.name === name) ? name : s.net.last;
    const m = await askJSON("/api/maps", { ...s.w, layer });
    const k = state.get("map") && state.int("map") < m.shape[0] ? state.int("map") : m.maps.reduce((b, f) => f.max > m.maps[b].max ? f.map : b, 0);
    const values = await askFloats("/api/map", { ...s.w, layer, map: k });
    const p = new Plane(`Map ${k} of ${layer}`, { over: (y, x) => { const fy = (y + 0.5) / m.shape[1], fx = (x + 0.5) / m.shape[2]; sides.forEach(o => o.read?.(fy, fx)); } });
    p.size(m.shape[1], m.shape[2], 200);
    p.values(values, m.lo, m.hi, m.signed ? "diverging" : "viridis");
    const note = h("p", { class: "num" });
    s.read = (fy, fx) => {
      const y = Math.min(Math.floor(fy * m.shape[1]), m.shape[1] - 1), x = Math.min(Math.floor(fx * m.shape[2]), m.shape[2] - 1);
      p.clear(); p.frame([y, x, y + 1, x + 1]);
      note.textContent = `row ${y}, column ${x}: ${number(values[y * m.shape[2] + x])}`;
    };
    put(s.map, h("h2", {}, `Map ${k} of ${layer}`), p.element, scalebar(m.signed ? "diverging" : "viridis", m.lo, m.hi, "activation"), note);
    s.read(0.5, 0.5);
  }
  return {
    async update() {
      if (!app.picture()) { put(place, h("p", {}, "No picture yet. Drop one anywhere on this page, paste one, or use “Add a picture”.")); return; }
      drawTools();
      const all = [{ net: state.int("net"), image: state.int("image") }, second()], now = JSON.stringify([all, state.get("patch"), state.get("fill"), state.get("layer"), state.get("map")]);
      if (now === key) return;
      key = now;
      await guard(row, async () => {
        sides = [];
        const made = await Promise.all(all.map(side));
        if (key !== now) return;
        sides = made;
        put(row, ...sides.map(s => s.card));
        await Promise.all(sides.map(s => Promise.all([follow(s, 0.5, 0.5), guard(s.map, () => drawMap(s))])));
      });
    },
    command: () => sides.flatMap((s, i) => s.box ? [[i ? "right" : "left", { ...s.w, kind: "occlusion", patch: s.patch, fill: state.get("fill"), position: s.box.join(","), method: "box" }]] : []),
  };
}
export default { title: "Compare", hint: "Each side is what viz occlude --method box and viz activations give.", open };
