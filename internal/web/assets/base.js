// What all views stand on: elements, the address, requests, and numbers as text.

// h makes an element. Properties that begin with "on" are listeners, "class", "data-" and "aria-" ones are attributes;
// children that are no nodes become text, so that names from files are never read as HTML.
export function h(tag, props, ...children) {
  const svg = ["svg", "g", "rect", "path", "text", "title", "line", "polyline", "circle"].includes(tag);
  const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (svg || k.includes("-") || ["class", "role", "for", "colspan", "list", "href", "download"].includes(k)) e.setAttribute(k, v === true ? "" : v);
    else e[k] = v;
  }
  e.append(...children.flat().filter(c => c !== null && c !== undefined && c !== false));
  return e;
}

// put fills an element. What is nothing is left out.
export const put = (e, ...children) => e.replaceChildren(...children.flat(Infinity).filter(c => c !== null && c !== undefined && c !== false));

// state is what is looked at. It is the address of the page, so that any view can be sent as a link.
export const state = {
  get: (name, otherwise = "") => new URLSearchParams(location.search).get(name) ?? otherwise,
  all: name => new URLSearchParams(location.search).getAll(name),
  int(name, otherwise = 0) { const n = parseInt(state.get(name), 10); return Number.isFinite(n) ? n : otherwise; },
  // to is the address after changes: null and "" take a setting away, a list sets it several times.
  to(changes) {
    const q = new URLSearchParams(location.search);
    for (const [k, v] of Object.entries(changes)) {
      q.delete(k);
      if (Array.isArray(v)) v.forEach(x => q.append(k, x));
      else if (v !== null && v !== undefined && v !== "") q.set(k, v);
    }
    const text = q.toString();
    return text ? "/?" + text : "/";
  },
  // set changes the address. With quiet the change makes no step that "back" undoes.
  set(changes, quiet) {
    const to = state.to(changes);
    if (to === location.pathname + location.search) return;
    history[quiet ? "replaceState" : "pushState"](null, "", to);
    state.changed();
  },
  changed() {}, // set by app.js
};

// client is this page's name among the clients of the server.
const client = Math.random().toString(36).slice(2, 12);

// url is the address of a request. Settings without a value are left out.
export function url(path, settings) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(settings || {})) {
    if (Array.isArray(v)) v.forEach(x => q.append(k, x));
    else if (v !== undefined && v !== null && v !== "") q.set(k, v);
  }
  q.set("client", client);
  return path + "?" + q;
}

// Problem is an error of the server: a sentence, and what can be done.
export class Problem extends Error {
  constructor(body) { super(body.error); this.hint = body.hint; }
}

// ask makes a request and returns the response. An error is a Problem, or an AbortError.
export async function ask(path, settings, options) {
  let r;
  try {
    r = await fetch(url(path, settings), options);
  } catch (err) {
    if (err.name === "AbortError") throw err;
    throw new Problem({ error: "The server does not answer.", hint: "Is viz serve still running?" });
  }
  if (r.ok) return r;
  const text = await r.text();
  let body = { error: text.trim() || r.statusText };
  try { body = JSON.parse(text); } catch { /* the text is the error */ }
  throw new Problem(body);
}
export const askJSON = async (...args) => (await ask(...args)).json();
export const askFloats = async (...args) => new Float32Array(await (await ask(...args)).arrayBuffer());

// Latest makes requests of which only the newest matters: it cancels the one under way.
export class Latest {
  constructor() { this.busy = null; }
  async run(make) {
    this.stop();
    const c = this.busy = new AbortController();
    try {
      const value = await make(c.signal);
      if (c.signal.aborted) throw new DOMException("overtaken", "AbortError");
      return value;
    } finally {
      if (this.busy === c) this.busy = null;
    }
  }
  stop() { this.busy?.abort(); this.busy = null; }
}

// listen follows long work (server-sent events): on has a function for each event; the last are done and failed, or
// stopped. It returns what stops it.
export function listen(path, settings, on) {
  const c = new AbortController();
  (async () => {
    const r = await ask(path, settings, { signal: c.signal });
    const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "", ended = false;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const [, name, data] = text.slice(0, end).match(/^event: (.*)\ndata: (.*)$/s);
        ended ||= name === "done" || name === "failed";
        on[name]?.(JSON.parse(data));
      }
    }
    if (!ended) throw new Problem({ error: "The connection ended.", hint: "Is viz serve still running?" });
  })().catch(err => {
    if (isAbort(err) || c.signal.aborted) return on.stopped?.();
    if (!(err instanceof Problem)) console.error(err);
    on.failed?.({ error: err.message, hint: err.hint });
  });
  return () => c.abort();
}

// isAbort tells that a request was overtaken, which is nothing to be told.
export const isAbort = err => err?.name === "AbortError";

// problem shows an error in place.
export function problem(err) {
  return h("div", { class: "bad", role: "alert" }, err.message || err.error, err.hint ? h("small", {}, err.hint) : null);
}

// guard runs f and shows what goes wrong in an element.
export async function guard(place, f) {
  try { return await f(); } catch (err) {
    if (isAbort(err)) return;
    if (!(err instanceof Problem)) console.error(err);
    put(place, problem(err));
  }
}

// number writes a number with four digits, powers of ten where they help.
export function number(v) {
  if (v === null || v === undefined || Number.isNaN(v)) return "–";
  const a = Math.abs(v);
  if (a !== 0 && (a < 1e-4 || a >= 1e6)) return v.toExponential(2).replace("e-", "·10⁻").replace("e+", "·10").replace(/·10(⁻?)(\d+)/, (_, s, d) => "·10" + s + [...d].map(c => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]).join(""));
  return String(parseFloat(v.toPrecision(4)));
}
// count writes a large whole number.
export const count = n => n < 1e5 ? n.toLocaleString("en") : n < 1e6 ? Math.round(n / 1e3) + " thousand" : n < 1e9 ? parseFloat((n / 1e6).toPrecision(3)) + " million" : parseFloat((n / 1e9).toPrecision(3)) + " billion";
// shown writes the value of a class: a probability in percent, or a value.
export const shown = c => c.probability === undefined ? number(c.score) : percent(c.probability);
export const percent = p => p >= 0.9995 && p < 1 ? (100 * p).toPrecision(6).replace(/0+$/, "") + " %" : p !== 0 && p < 1e-3 ? number(100 * p) + " %" : (100 * p).toFixed(2) + " %";
// className says of a class without a name that its number is one.
export const className = name => /^\d+$/.test(name) ? "class " + name : name;
export const plural = (n, one, many) => n + " " + (n === 1 ? one : many);
export function seconds(s) { return s < 10 ? s.toFixed(1) + " s" : s < 90 ? Math.round(s) + " s" : Math.round(s / 60) + " min"; }

// say tells something to who does not see it.
export function say(text) { document.getElementById("say").textContent = text; }
