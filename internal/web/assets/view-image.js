// The picture, what the network sees of it, and what the network takes it for.
import { h, put, state, askJSON, url, guard, shown, className } from "./base.js";

// bars shows classes as bars; choose is told of a class that is clicked. was are values before, by class. Bars of the same
// classes that are shown already take the new values.
export function bars(list, o, shownNow) {
  const key = JSON.stringify([list.map(c => c.class), o.target, o.quantity, o.was]);
  if (shownNow?.key !== key || o.quantity === "value") return Object.assign(makeBars(list, o), { key });
  list.forEach((c, i) => {
    const b = shownNow.children[i];
    b.title = barTitle(c, o.choose);
    b.querySelector(".v").textContent = shown(c);
    b.querySelector(".fill").style.width = 100 * Math.min(Math.max(c.probability, 0), 1) + "%";
  });
  return shownNow;
}
const barTitle = (c, choose) => "score " + c.score.toPrecision(5) + (choose ? "; click to explain this class" : "");
function makeBars(list, { target, was, choose, quantity }) {
  const value = c => c.probability ?? c.score;
  const all = list.map(value).concat(was ? Object.values(was) : []);
  const lo = quantity === "value" ? Math.min(0, ...all) : 0, hi = quantity === "value" ? Math.max(...all, lo + 1e-9) : 1;
  const part = v => 100 * Math.min(Math.max((v - lo) / (hi - lo), 0), 1) + "%";
  return h("div", { class: "bars" }, list.map(c => {
    const fill = h("span", { class: "fill" });
    fill.style.width = part(value(c));
    const before = was && was[c.class] !== undefined ? h("span", { class: "was", title: "nothing covered" }) : null;
    if (before) before.style.left = `calc(${part(was[c.class])} - 1px)`;
    return h("button", { type: "button", class: c.class === target ? "chosen" : "", "data-class": c.class, "aria-pressed": String(c.class === target),
      title: barTitle(c, choose), onclick: () => choose?.(c.class) },
    h("span", { class: "name" }, className(c.name)), h("span", { class: "v num" }, shown(c)), h("span", { class: "track" }, fill, before));
  }));
}

// classPicker lets any class be the target.
export function classPicker(app) {
  const n = app.net(), id = "classes-" + state.int("net");
  const pick = text => {
    const i = n.classes.findIndex(c => c.toLowerCase() === text.trim().toLowerCase());
    const k = i >= 0 ? i : /^\d+$/.test(text.trim()) && Number(text) < n.classes.length ? Number(text) : -1;
    if (k >= 0) state.set({ class: k });
  };
  const chosen = app.chosen();
  if (!document.getElementById(id)) document.body.append(h("datalist", { id }, n.classes.map((c, i) => h("option", { value: c }, String(i))))); // a thousand names are made once
  return h("div", { class: "tools" }, h("label", {}, "Another class", h("input", { type: "search", "data-search": "", list: id, placeholder: chosen === null ? "the most probable one" : n.classes[chosen] ?? chosen, onchange: e => pick(e.target.value) })),
    chosen === null ? null : h("button", { type: "button", onclick: () => state.set({ class: null }) }, "Back to the most probable"));
}

function open(place, app) {
  const original = h("figure", { class: "card" }), input = h("figure", { class: "card" }), classes = h("div", { class: "card" });
  place.append(h("div", { class: "cols" }, original, input, classes));
  let key = "";
  return {
    async update() {
      const p = app.picture();
      if (!p) { put(place, h("p", {}, "No picture yet. Drop one anywhere on this page, paste one, or use “Add a picture”.")); key = ""; return; }
      const now = [state.int("net"), p.number, app.chosen()].join();
      if (now === key) return;
      key = now;
      const w = { net: state.int("net"), image: p.number }, n = app.net();
      const picture = (what, path, text) => {
        const img = h("img", { class: "show", alt: what, src: url(path, w), onload: () => {
          if (img.naturalWidth < 200) img.classList.add("px");
          img.style.width = Math.min(Math.max(img.naturalWidth, 260), 400) + "px";
        }, onerror: () => guard(img.parentElement, () => askJSON(path, w)) });
        return [h("h2", {}, what), img, h("figcaption", {}, text)];
      };
      put(original, ...picture("The picture", "/api/original", p.title + (p.label ? ", labelled " + p.label : "")));
      put(input, ...picture("What the network sees", "/api/input", n.input.W + " × " + n.input.H + " pixels, as numbers: " + n.pixels));
      await guard(classes, async () => {
        const c = await askJSON("/api/classes", { ...w, class: app.chosen() });
        if (key !== now) return; // another picture was chosen meanwhile
        const target = app.chosen() === null ? c.best : Number(app.chosen());
        const list = c.top.some(t => t.class === target) ? c.top : c.top.concat(c.classes);
        put(classes, h("h2", {}, c.quantity === "value" ? "Values" : "The network says"), bars(list, { target, quantity: c.quantity, choose: k => state.set({ class: k }) }),
          p.label ? h("p", {}, "The label is ", h("b", {}, p.label), ".") : null,
          c.sum ? h("p", { class: "soft" }, "Sums over all places of the map of scores.") : null,
          n.classes.every((name, i) => name === String(i)) ? h("p", { class: "soft" }, "The classes have no names: start viz serve with --labels FILE, one name a line, to see them.") : null,
          h("p", { class: "soft" }, "The target is what the other views explain. Click another class to choose it."), classPicker(app),
          h("p", {}, h("a", { href: state.to({ view: "occlude" }), onclick: e => { e.preventDefault(); state.set({ view: "occlude" }); } }, "Which part of the picture made it say that?")));
      });
    },
    command: () => app.picture() ? [["classes", { kind: "classes" }], ["Grad-CAM", { kind: "gradcam", class: app.chosen() }]] : [],
  };
}
export default { title: "Image", hint: "", open };
