// The page: views, pictures, the command that makes the same, keys. Each view is a module with a title and a function
// that fills the main element and returns what to do when the address changes (update), the kind of figure that it
// shows (command), and what ends it (end).
import { h, put, state, ask, askJSON, url, guard, problem, say, Problem } from "./base.js";
import { loadPalettes } from "./draw.js";
import network from "./view-network.js";
import image from "./view-image.js";
import layer from "./view-layer.js";
import occlude from "./view-occlude.js";
import methods from "./view-methods.js";
import compare from "./view-compare.js";
import filters from "./view-filters.js";

const views = { network, image, layer, occlude, methods, compare, filters };
const $ = id => document.getElementById(id);
const main = $("main");

// app is what views are given.
export const app = {
  info: null, // what the server says of itself, see /api/state
  pictures: [],
  net: () => app.info.nets[Math.min(state.int("net"), app.info.nets.length - 1)],
  picture: () => app.pictures.find(p => p.number === state.int("image")) || app.pictures[0],
  // where names the network and the picture in requests.
  where: () => ({ net: state.int("net") || null, image: state.int("image") }),
  // chosen is the class that is explained, if somebody chose one.
  chosen: () => state.get("class", null),
  refreshCommand: showCommand,
};

let current = null, running = null;

function viewName() { const v = state.get("view", "network"); return views[v] ? v : "network"; }

state.changed = () => {
  if (!app.info) return;
  const name = viewName();
  for (const a of $("views").children) {
    a.href = state.to({ view: a.dataset.view });
    if (a.dataset.view === name) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
  }
  markPicture();
  if (current !== name) {
    running?.end?.();
    current = name;
    put(main);
    main.scrollTop = 0;
    document.title = views[name].title + " · viz";
    const place = h("div", { class: "view" });
    place.style.height = name === "network" ? "100%" : "";
    main.append(h("h1", { class: "unseen" }, views[name].title), place);
    running = views[name].open(place, app);
  }
  guard(main, async () => { await running.update(); });
  showCommand();
};
addEventListener("popstate", () => state.changed());

// The command line: what viz makes the same, and the files that it writes.
let commandTimer;
function showCommand() {
  clearTimeout(commandTimer);
  commandTimer = setTimeout(async () => {
    const place = $("command");
    const kinds = running?.command?.() ?? [];
    if (!kinds.length) { put(place, h("span", { class: "soft" }, views[current]?.hint || "")); return; }
    const name = kinds.some(([n]) => n === state.get("of")) ? state.get("of") : kinds[0][0];
    const settings = { ...app.where(), ...kinds.find(([n]) => n === name)[1] };
    const of = kinds.length > 1 ? h("select", { "aria-label": "What the command makes", onchange: e => state.set({ of: e.target.value }, true) }, kinds.map(([n]) => h("option", { value: n, selected: n === name }, n))) : null;
    try {
      const c = await askJSON("/api/command", settings);
      const copy = h("button", { type: "button", title: "Copy the command", onclick: async () => {
        try { await navigator.clipboard.writeText(c.line); } catch { // clipboards need permission in some browsers
          const area = h("textarea", { value: c.line, "aria-label": "command" });
          document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
        }
        say("Copied"); copy.textContent = "Copied"; setTimeout(() => { copy.textContent = "Copy"; }, 1500);
      } }, "Copy");
      put(place, h("span", { class: "soft" }, "Command"), of, h("code", { title: c.line, id: "line" }, c.line), copy,
        h("span", { class: "soft" }, "Save"),
        ...["png", "npy", "json"].filter(as => c[as] !== false).map(as => link("/api/figure", { ...settings, as }, c.name + "." + as, as.toUpperCase())),
        c.mask ? link("/api/mask", { net: settings.net, mask: settings.mask, as: "npy" }, c.mask, "the mask") : null,
        c.own ? h("span", { class: "soft" }, "(where your picture's file is)") : null);
    } catch (err) {
      put(place, of, h("span", { class: "soft" }, err.message));
    }
  }, 60);
}

// link downloads a file, or says what is wrong.
const link = (path, settings, name, text) => h("a", { href: url(path, settings), download: name, onclick: async e => {
  e.preventDefault();
  try {
    const to = URL.createObjectURL(await (await ask(path, settings)).blob());
    h("a", { href: to, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(to), 10000);
  } catch (err) { toast(err); }
} }, text);

function toast(err) {
  main.prepend(problem(err));
  main.scrollTop = 0;
}
app.toast = toast;

// The strip of pictures.
async function loadPictures() {
  app.pictures = [];
  for (let from = 0; from < Math.max(app.info.pictures, 1) && from < 2000; from += 200) {
    app.pictures.push(...(await askJSON("/api/pictures", { from })).pictures);
  }
  drawStrip();
}

function drawStrip() {
  const strip = $("strip");
  const file = h("input", { type: "file", accept: "image/*", hidden: true, onchange: () => { for (const f of file.files) addPicture(f); file.value = ""; } });
  const add = h("button", { type: "button", class: "add", title: "Or drop a picture anywhere, or paste one", onclick: () => file.click() }, "Add a picture …");
  const thumbs = app.pictures.filter(p => !p.gone).map(p => h("button", { type: "button", class: "thumb" + (p.own ? " own" : ""), "data-image": p.number,
    title: p.title + (p.label ? " (" + p.label + ")" : ""), "aria-label": "Picture " + p.title + (p.label ? ", labelled " + p.label : ""), "aria-pressed": "false",
    onclick: () => choosePicture(p.number) },
  h("img", { src: url("/api/thumb", { image: p.number }), alt: "", loading: "lazy", onload: e => { if (e.target.naturalWidth < 46) e.target.classList.add("tiny"); } })));
  put(strip, add, file, ...thumbs, thumbs.length ? h("span", { class: "from" }, app.info.from) : h("span", { class: "soft" }, "No picture yet: drop one here, paste one, or add one."));
  markPicture();
}

function markPicture() {
  for (const b of $("strip").querySelectorAll(".thumb")) {
    const on = Number(b.dataset.image) === state.int("image");
    b.setAttribute("aria-pressed", String(on));
    if (on) b.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

function choosePicture(number) {
  const changes = { image: number, y: null, x: null };
  if (viewName() === "network" || viewName() === "filters") changes.view = "image";
  state.set(changes);
}

async function addPicture(file) {
  try {
    const r = await ask("/api/pictures", { name: file.name || "pasted.png" }, { method: "POST", body: file, headers: { "X-Viz": "1" } });
    const p = await r.json();
    app.pictures.push(p);
    drawStrip();
    say("Added " + p.title);
    choosePicture(p.number);
  } catch (err) { toast(err); }
}

addEventListener("dragover", e => { if (e.dataTransfer?.types.includes("Files")) { e.preventDefault(); $("drop").hidden = false; } });
addEventListener("dragleave", e => { if (!e.relatedTarget) $("drop").hidden = true; });
addEventListener("drop", e => {
  e.preventDefault();
  $("drop").hidden = true;
  for (const f of e.dataTransfer?.files || []) addPicture(f);
});
addEventListener("paste", e => {
  for (const f of e.clipboardData?.files || []) addPicture(f);
});

// Keys.
const keys = [
  ["1 … 7", "views: " + Object.values(views).map(v => v.title.toLowerCase()).join(", ")],
  ["/", "search layers (and classes, in the view of the image)"],
  ["← ↑ ↓ →", "in a picture: move the unit or the patch; with Shift by more"],
  ["[ and ]", "previous and next picture"],
  ["+ and −", "larger and smaller: the patch, or the network's graph"],
  ["d", "light or dark"],
  ["Esc", "stop what is being computed"],
  ["?", "this list"],
];
function showKeys() {
  const d = $("keys");
  put(d, h("h1", { id: "keys-title" }, "Keys"),
    h("table", {}, h("tbody", {}, keys.map(([k, what]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, k)), h("td", {}, what))))),
    h("p", { class: "soft" }, app.net().name + " " + app.net().hash + ", viz " + app.info.version),
    h("button", { type: "button", onclick: () => d.close() }, "Close"));
  d.showModal();
}

addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.("input, select, textarea, dialog")) return;
  const names = Object.keys(views);
  if (e.key === "?") showKeys();
  else if (e.key === "/") { const s = main.querySelector("[data-search]"); if (s) { s.focus(); s.select?.(); } else { state.set({ view: "network" }); requestAnimationFrame(() => main.querySelector("[data-search]")?.focus()); } }
  else if (e.key >= "1" && e.key <= String(names.length)) state.set({ view: names[e.key - 1] });
  else if (e.key === "d") turn();
  else if (e.key === "[" || e.key === "]") {
    const there = app.pictures.filter(p => !p.gone), i = there.findIndex(p => p.number === state.int("image"));
    const p = there[i + (e.key === "]" ? 1 : -1)];
    if (p) choosePicture(p.number);
  } else if (!running?.key?.(e.key)) return;
  e.preventDefault();
});

// Light and dark: what the system has, unless somebody chose.
function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "Light" : "Dark";
}
function turn() {
  const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("theme", name); } catch { /* not kept then */ }
  theme(name);
}
const dark = matchMedia("(prefers-color-scheme: dark)");
function ownTheme() {
  let kept = null;
  try { kept = localStorage.getItem("theme"); } catch { /* not kept */ }
  theme(kept || (dark.matches ? "dark" : "light"));
}
dark.addEventListener("change", ownTheme);

async function start() {
  ownTheme();
  $("theme").onclick = turn;
  $("help").onclick = showKeys;
  app.info = await askJSON("/api/state");
  await loadPalettes();
  $("views").append(...Object.entries(views).map(([name, v]) => h("a", { href: state.to({ view: name }), "data-view": name, onclick: e => {
    if (e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    state.set({ view: name });
  } }, v.title)));
  if (app.info.nets.length > 1) {
    $("nets").append(h("label", {}, "Network", h("select", { id: "net", onchange: e => state.set({ net: e.target.value, layer: null, map: null, y: null, x: null, class: null, open: null, mask: null }) },
      app.info.nets.map((n, i) => h("option", { value: i, selected: i === state.int("net") }, n.name)))));
  } else $("nets").append(h("span", { class: "soft", title: app.info.nets[0].hash }, app.info.nets[0].name));
  $("status").textContent = "keeps up to " + Math.round(app.info.memory / 1e6) + " MB of results";
  await loadPictures();
  state.changed();
}
guard(main, start);
