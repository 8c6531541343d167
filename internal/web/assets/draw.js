// What the browser draws itself: numbers in colours, at places that a pointer or the arrow keys choose.
import { h, put, askJSON, number, Problem } from "./base.js";

// palettes are 256 colours each, as the pictures have them: Uint8Array of r, g, b.
export const palettes = {};
export async function loadPalettes() {
  for (const [name, text] of Object.entries(await askJSON("/api/colors"))) {
    palettes[name] = Uint8Array.from(text.match(/../g), x => parseInt(x, 16));
  }
}

// heat draws values [h][w] on a canvas of that size. NaN is left transparent.
export function heat(canvas, values, hh, w, lo, hi, palette, alpha = 255) {
  canvas.width = w; canvas.height = hh;
  const img = new ImageData(w, hh), p = palettes[palette];
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (Number.isNaN(v)) continue;
    const t = hi > lo ? Math.min(Math.max((v - lo) / (hi - lo), 0), 1) : 0;
    const c = 3 * Math.round(255 * t);
    img.data[4 * i] = p[c]; img.data[4 * i + 1] = p[c + 1]; img.data[4 * i + 2] = p[c + 2]; img.data[4 * i + 3] = alpha;
  }
  canvas.getContext("2d").putImageData(img, 0, 0);
}

// classColor is the colour of a class, as the pictures have it.
export function classColor(i) { const p = palettes.classes, c = 3 * (i % 256); return [p[c], p[c + 1], p[c + 2]]; }

// scalebar is a numbered colour bar.
export function scalebar(palette, lo, hi, label) {
  const c = h("canvas", { width: 256, height: 1, "aria-hidden": "true" });
  heat(c, Float32Array.from({ length: 256 }, (_, i) => i), 1, 256, 0, 255, palette);
  return h("div", { class: "scalebar num" }, h("span", {}, number(lo)), c, h("span", {}, number(hi)), h("span", {}, label));
}

// fromBase64 makes an image that can be drawn from a picture within JSON.
export const fromBase64 = text => createImageBitmap(new Blob([Uint8Array.from(atob(text), c => c.charCodeAt(0))], { type: "image/png" }));

// fromPixels makes what can be drawn from colours as r, g, b, 255 within JSON.
export function fromPixels(text, rows, cols) {
  const c = h("canvas", { width: cols, height: rows });
  c.getContext("2d").putImageData(new ImageData(Uint8ClampedArray.from(atob(text), x => x.charCodeAt(0)), cols, rows), 0, 0);
  return c;
}

// loaded is an image that has arrived.
export async function loaded(src, signal) {
  const r = await fetch(src, { signal });
  if (!r.ok) throw new Problem(await r.json());
  return createImageBitmap(await r.blob());
}

// Plane is a picture of rows and columns with something drawn over it, and a place in it that the pointer or the arrow
// keys choose. over(y, x, how) is told where the pointer is, how being "move", "press", "drag", "key" or "wheel".
export class Plane {
  constructor(label, { over, leave, wheel, step = 1 }) {
    this.canvas = h("canvas", { tabIndex: 0, role: "application", "aria-label": label, "aria-roledescription": "picture with a movable place" });
    this.top = h("canvas", { "aria-hidden": "true" });
    this.element = h("div", { class: "plane" }, this.canvas, this.top);
    this.y = this.x = 0;
    this.step = step;
    this.over = over;
    const at = e => {
      const b = this.canvas.getBoundingClientRect();
      const y = Math.floor((e.clientY - b.top) / b.height * this.rows), x = Math.floor((e.clientX - b.left) / b.width * this.cols);
      return [Math.min(Math.max(y, 0), this.rows - 1), Math.min(Math.max(x, 0), this.cols - 1)];
    };
    const tell = (e, how) => {
      const [y, x] = at(e);
      if (how === "move" && this.last === y + "," + x) return; // told already
      this.last = y + "," + x;
      [this.y, this.x] = [y, x];
      this.over?.(y, x, how);
    };
    this.canvas.addEventListener("pointerdown", e => { this.held = true; this.canvas.setPointerCapture(e.pointerId); tell(e, "press"); });
    this.canvas.addEventListener("pointermove", e => tell(e, this.held ? "drag" : "move"));
    // Browsers keep moves back until the next frame is drawn; what is asked of the server need not wait for it.
    this.canvas.addEventListener("pointerrawupdate", e => { if (!this.held) tell(e, "move"); });
    this.canvas.addEventListener("pointerup", () => { this.held = false; });
    this.canvas.addEventListener("pointercancel", () => { this.held = false; });
    this.canvas.addEventListener("pointerleave", () => { this.last = ""; leave?.(); });
    this.canvas.addEventListener("keydown", e => {
      const d = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key];
      if (!d || e.ctrlKey || e.altKey || e.metaKey) return;
      e.preventDefault();
      const by = e.shiftKey ? 8 * this.step : this.step;
      this.y = Math.min(Math.max(this.y + d[0] * by, 0), this.rows - 1);
      this.x = Math.min(Math.max(this.x + d[1] * by, 0), this.cols - 1);
      this.last = "";
      this.over?.(this.y, this.x, "key");
    });
    if (wheel) this.canvas.addEventListener("wheel", e => { e.preventDefault(); wheel(Math.sign(e.deltaY)); }, { passive: false });
  }
  // size says how many rows and columns there are, and how large they are shown: at most most pixels.
  size(rows, cols, most) {
    this.rows = rows; this.cols = cols;
    this.scale = most / Math.max(rows, cols);
    this.element.style.width = Math.round(cols * this.scale) + "px";
    this.top.width = Math.round(cols * this.scale); this.top.height = Math.round(rows * this.scale);
  }
  // picture draws the ground: a bitmap, or values in colours.
  picture(bitmap) {
    this.canvas.width = bitmap.width; this.canvas.height = bitmap.height;
    this.canvas.classList.toggle("px", bitmap.width < 160);
    this.canvas.getContext("2d").drawImage(bitmap, 0, 0);
  }
  values(values, lo, hi, palette) { heat(this.canvas, values, this.rows, this.cols, lo, hi, palette); this.canvas.classList.add("px"); }
  clear() { this.top.getContext("2d").clearRect(0, 0, this.top.width, this.top.height); }
  // frame draws a box [y0, x0, y1, x1] in rows and columns, dark and light so that it shows on any ground.
  frame([y0, x0, y1, x1], dashed) {
    const g = this.top.getContext("2d"), k = this.scale;
    for (const [color, width] of [["#000", 4], ["#fff", 2]]) {
      g.strokeStyle = color; g.lineWidth = width; g.setLineDash(dashed ? [6, 4] : []);
      g.strokeRect(x0 * k + 1, y0 * k + 1, Math.max((x1 - x0) * k - 2, 3), Math.max((y1 - y0) * k - 2, 3));
    }
    g.setLineDash([]);
  }
  // put draws a bitmap into a box.
  put(bitmap, [y0, x0, y1, x1]) {
    const g = this.top.getContext("2d"), k = this.scale;
    g.imageSmoothingEnabled = bitmap.width >= 160;
    g.drawImage(bitmap, x0 * k, y0 * k, (x1 - x0) * k, (y1 - y0) * k);
  }
}
