// One picture and class by several attribution methods, side by side, and how far each can be believed.
import { h, put, state, ask, askJSON, url, guard, listen, problem, number } from "./base.js";
import { classPicker } from "./view-image.js";

const usual = ["saliency", "ig", "gradcam", "guided"];

// chart draws two curves over the share of pixels.
function chart(one, two) {
  const W = 260, H = 130, L = 34, B = 24, hi = Math.max(...one, ...two, 1e-9);
  const line = (v, c) => h("polyline", { class: c, points: v.map((y, i) => (L + (W - L - 8) * i / (v.length - 1)).toFixed(1) + "," + (8 + (H - B - 8) * (1 - y / hi)).toFixed(1)).join(" ") });
  return h("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": "Probability while pixels are taken away (solid) and while they are shown (dashed), strongest first" },
    h("path", { class: "axis", d: `M${L},8V${H - B}H${W - 8}` }), h("text", { x: L - 4, y: 14, "text-anchor": "end" }, number(hi)), h("text", { x: L - 4, y: H - B, "text-anchor": "end" }, "0"),
    h("text", { x: L, y: H - 8 }, "no pixels"), h("text", { x: W - 8, y: H - 8, "text-anchor": "end" }, "all pixels"), line(one, "one"), line(two, "two"));
}

function open(place, app) {
  const tools = h("div", {}), cards = h("div", { class: "cols wide" });
  place.append(tools, cards);
  let methods = null, key = "", stops = [];
  const chosen = () => { const m = state.get("methods").split(",").filter(Boolean); return m.length ? m : usual; };

  function drawTools() {
    const on = chosen();
    put(tools, h("fieldset", { class: "pick", "aria-label": "Methods" }, methods.map(m => h("label", { title: m.formula }, h("input", { type: "checkbox", checked: on.includes(m.name), onchange: e => {
      const next = methods.map(x => x.name).filter(x => x === m.name ? e.target.checked : on.includes(x));
      state.set({ methods: next.join(",") }, true);
    } }), m.title))), classPicker(app));
  }
  function card(m, w) {
    const settings = { ...w, kind: "attribution", method: m.name };
    const img = h("img", { class: "figure", alt: `What the score comes from, by ${m.title}`, src: url("/api/figure", settings) });
    const pic = h("div", {}, img), test = h("div", {});
    img.onerror = () => guard(pic, () => ask("/api/figure", settings));
    const button = h("button", { type: "button", onclick: () => {
      button.disabled = true;
      const bar = h("progress", { max: 1, value: 0, "aria-label": "Measuring" });
      const stop = listen("/api/methods/test", { net: w.net, image: w.image, method: m.name }, {
        progress(p) { bar.max = p.total; bar.value = p.done; },
        done(n) {
          const r = n.rows.find(x => x.method === m.name) || n.rows[0];
          put(test, r.problem ? problem({ error: r.problem }) : h("div", {}, chart(r.deletion_curve, r.insertion_curve),
            h("p", { class: "num" }, `Deletion (solid) ${number(r.deletion.mean)}: lower is better. Insertion (dashed) ${number(r.insertion.mean)}: higher is better.`)));
        },
        failed(err) { put(test, problem(err)); },
        stopped() { put(test, button); button.disabled = false; },
      });
      stops.push(stop);
      put(test, h("div", { class: "tools" }, bar, h("button", { type: "button", onclick: stop }, "Stop")));
    } }, "Deletion and insertion");
    test.append(button);
    return h("figure", { class: "card", "data-method": m.name }, h("h2", {}, m.title), pic, h("figcaption", {}, m.formula), test);
  }
  return {
    async update() {
      if (!app.picture()) { put(place, h("p", {}, "No picture yet. Drop one anywhere on this page, paste one, or use “Add a picture”.")); return; }
      methods ??= await askJSON("/api/methods");
      drawTools();
      const w = { net: state.int("net"), image: state.int("image"), class: app.chosen() }, now = JSON.stringify([w, chosen()]);
      if (now === key) return;
      key = now;
      stops.forEach(f => f()); stops = [];
      put(cards, ...methods.filter(m => chosen().includes(m.name)).map(m => card(m, w)));
    },
    command: () => app.picture() ? [["methods", { kind: "attribution", method: chosen().join(","), class: app.chosen() }]] : [],
    end() { stops.forEach(f => f()); },
  };
}
export default { title: "Methods", hint: "", open };
