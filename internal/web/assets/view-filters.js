// The filters of convolutions, and how they come about over checkpoints.
import { h, put, state, ask, url, guard } from "./base.js";
import { pick, layerSelect } from "./view-layer.js";

function open(place, app) {
  const tools = h("div", { class: "tools" }), pic = h("div", { class: "card" }), through = h("div", { class: "card" });
  place.append(tools, pic, through);
  let key = "", stripKey = "";
  const layer = () => { const l = app.net().layers, name = state.get("filters"); return name || l.find(x => x.conv)?.name || ""; };
  const last = () => app.info.checkpoints - 1;
  const show = (parent, settings, alt) => {
    const img = h("img", { class: "figure", alt, src: url("/api/figure", settings) });
    img.onerror = () => guard(parent, () => ask("/api/figure", settings));
    put(parent, img);
  };
  const settings = () => ({ kind: "filters", net: state.int("net"), layer: layer(), scale: state.get("fscale") });
  return {
    async update() {
      const n = app.net(), l = layer();
      if (!l) { put(place, h("p", {}, "This network has no convolution over rows and columns: there are no filters to draw.")); return; }
      put(tools, h("label", {}, "Convolution", h("select", { "data-search": "", onchange: e => state.set({ filters: e.target.value, checkpoint: null }) }, n.layers.filter(x => x.kind === "Conv").map(x => h("option", { value: x.name, selected: x.name === l }, x.name + " · " + x.shape[0] + " maps")))),
        pick("Scale", [["layer", "of the layer"], ["tile", "of each tile"]], state.get("fscale", "layer"), v => state.set({ fscale: v === "layer" ? null : v })));
      const c = app.info.checkpoints > 1 && state.int("net") === 0, at = state.int("checkpoint", last());
      const now = JSON.stringify([settings(), c && at]);
      if (now === key) return;
      key = now;
      if (!c) {
        show(pic, settings(), "Filters of " + l);
        put(through, h("h2", {}, "Through training"), h("p", { class: "soft" }, "Start viz serve --model with a folder that has checkpoints (viz train --keep-checkpoints) to see how filters come about."));
        return;
      }
      show(pic, { ...settings(), checkpoint: at }, `Filters of ${l} at checkpoint ${at + 1} of ${last() + 1}`);
      const sk = l + state.get("fscale"); // the slider stays while it is moved
      if (sk !== stripKey) {
        stripKey = sk;
        const strip = h("div", {});
        put(through, h("h2", {}, "Through training"), h("label", {}, "checkpoint", h("input", { type: "range", id: "checkpoint", min: 0, max: last(), value: at, oninput: e => state.set({ checkpoint: e.target.value }, true) }), h("span", { class: "num", id: "step" })), strip);
        show(strip, { kind: "evolution", layer: l, scale: state.get("fscale") }, "The filters at all checkpoints, one below the other");
      }
      through.querySelector("#checkpoint").value = at;
      through.querySelector("#step").textContent = `${at + 1} of ${last() + 1}`;
    },
    command() {
      if (!layer()) return [];
      const at = state.get("checkpoint"), many = app.info.checkpoints > 1 && state.int("net") === 0;
      return [["filters", many && at !== "" ? { ...settings(), checkpoint: at } : settings()], ...(many ? [["through training", { kind: "evolution", layer: layer(), scale: state.get("fscale") }]] : [])];
    },
  };
}
export default { title: "Filters", hint: "", open };
