// One layer as a graph: two columns of nodes, the links between them, and a handle for each eigenvalue.  Width of a link =
// |weight|, colour = its sign, dotted = 0.  Ticks on a track are 0 and the eigenvalues of the other layer: there a link vanishes.

const STEP = 0.05, LEAP = 0.5; // of the arrow keys, of Page Up and Page Down
const NEAR = 0.06; // an eigenvalue this near to one of the other layer, or to 0, is meant to be equal to it
const TRACK = 150; // length of an eigenvalue's track, in units of the drawing
const NAMES = { in: "λⁱⁿ", out: "λᵒᵘᵗ" };

export function makeColumns(parent, hand) {
  const [W, H] = [640, 330], X = { in: 232, out: 408 }, START = { in: 16, out: W - 16 - TRACK };
  const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "sl-columns", role: "group", "aria-label": "the layer as a graph; a handle for each eigenvalue" });
  parent.append(picture);
  const head = (x, text, more = {}) => svg("text", { x, y: 16, class: "sl-head", ...more }, text);
  picture.append(head(START.in, "layer 1"), head(W - 16, "layer 2", { "text-anchor": "end" }));
  let links = [], handles = [], nodes = [], shape = "", shown = null, held = null;
  const height = (k, n) => 26 + (k + 0.5) * (H - 30) / n;
  const at = (side, value) => START[side] + TRACK * (0.5 + value / (2 * shown.limits.lam));
  const values = (side) => shown[`lam_${side}`];
  const meant = (side, k) => hand.meant(side, k, values(side)[k]);

  // The number under the pointer; close to an eigenvalue of the other layer it snaps, for there a link vanishes.
  function pointed(event, side, shift) {
    const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse()).x - shift;
    const limit = shown.limits.lam, raw = ((x - START[side]) / TRACK - 0.5) * 2 * limit;
    const near = [0, ...values(side === "in" ? "out" : "in")].find((value) => Math.abs(value - raw) < NEAR);
    return { x, value: near ?? rounded(raw, limit) };
  }

  function makeHandle(side, k, n) {
    const y = height(k, n) + 9, x = START[side];
    const parts = {
      track: svg("line", { x1: x, x2: x + TRACK, y1: y, y2: y, class: "sl-track" }),
      ticks: svg("path", { class: "sl-ticks" }),
      bar: svg("line", { y1: y, y2: y, class: "sl-bar" }),
      knob: svg("circle", { cy: y, r: 8, class: "sl-knob" }),
      label: svg("text", { x: side === "in" ? x : x + TRACK, y: y - 12, "text-anchor": side === "in" ? "start" : "end" }),
    };
    const hit = svg("rect", { x: x - 12, width: TRACK + 24, y: y - 26, height: 37, class: "sl-hit" });
    const element = svg("g", {
      role: "slider", tabindex: 0, class: "sl-handle", "data-side": side, "data-k": k, "aria-orientation": "horizontal",
      "aria-label": `eigenvalue of node ${k} in layer ${side === "in" ? 1 : 2}`, "aria-valuemin": -shown.limits.lam, "aria-valuemax": shown.limits.lam,
    }, hit, ...Object.values(parts));
    let shift = 0;
    const release = () => { if (held) { held = null; element.classList.remove("sl-held"); hand.look(null); } };
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const grip = at(side, meant(side, k)), { x: under } = pointed(event, side, 0);
      shift = Math.abs(under - grip) < 12 ? under - grip : 0; // taken off its middle, the knob does not jump
      held = [side, k];
      element.setPointerCapture(event.pointerId);
      element.classList.add("sl-held");
      event.preventDefault();
      element.focus({ preventScroll: true });
      hand.look(held);
      if (!shift && Math.abs(under - grip) >= 12) hand.move(side, k, pointed(event, side, 0).value);
    });
    element.addEventListener("pointermove", (event) => { if (held && held[0] === side && held[1] === k) hand.move(side, k, pointed(event, side, shift).value); });
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) element.addEventListener(kind, release);
    element.addEventListener("focus", () => hand.look([side, k]));
    element.addEventListener("blur", () => hand.look(null));
    element.addEventListener("keydown", (event) => {
      const limit = shown.limits.lam, now = meant(side, k);
      const steps = { ArrowRight: STEP, ArrowUp: STEP, ArrowLeft: -STEP, ArrowDown: -STEP, PageUp: LEAP, PageDown: -LEAP };
      const places = { Home: -limit, End: limit, 0: 0, "-": -now };
      const value = event.key in steps ? now + steps[event.key] : places[event.key];
      if (value === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      hand.look([side, k]);
      hand.move(side, k, rounded(value, limit));
    });
    return { side, k, element, ...parts };
  }

  function build() {
    const sizes = { in: shown.lam_in.length, out: shown.lam_out.length };
    for (const old of picture.querySelectorAll("g")) old.remove();
    const each = (n, make) => [...Array(n).keys()].map(make);
    links = each(sizes.out, (i) => each(sizes.in, (j) => svg("line", { x1: X.in, y1: height(j, sizes.in), x2: X.out, y2: height(i, sizes.out), class: "sl-link" })));
    nodes = [], handles = [];
    for (const side of ["in", "out"]) for (let k = 0; k < sizes[side]; k++) {
      const y = height(k, sizes[side]), circle = svg("circle", { cx: X[side], cy: y, r: 13 }), text = svg("text", { x: X[side], y: y + 5, "text-anchor": "middle" }, String(k));
      const node = svg("g", { class: `sl-node sl-${side}`, "data-k": k }, circle, text);
      if (side === "out") node.addEventListener("click", () => hand.move("node", k, k));
      nodes.push({ side, k, node, circle });
      handles.push(makeHandle(side, k, sizes[side]));
    }
    picture.append(svg("g", {}, ...links.flat()), svg("g", {}, ...nodes.map(({ node }) => node)), ...handles.map(({ element }) => element));
  }

  function draw(newShown, active, signal) {
    shown = newShown;
    const { W: weights, colours, scale } = shown, sizes = `${weights.length} ${weights[0].length}`;
    const widest = Math.min(11, 44 / Math.max(weights.length, weights[0].length));
    if (shape !== sizes) { shape = sizes; build(); }
    weights.forEach((row, i) => row.forEach((w, j) => {
      const mine = !active || (active[0] === "in" ? active[1] === j : active[1] === i);
      const width = w === 0 ? 1 : 0.8 + widest * Math.min(1, Math.abs(w) / scale), stroke = w === 0 ? "currentColor" : w > 0 ? colours.positive : colours.negative;
      setAll(links[i][j], { "stroke-width": width, stroke, "stroke-dasharray": w === 0 ? "1 5" : "none", opacity: w === 0 ? 0.6 : mine ? 0.85 : 0.22 });
    }));
    for (const { side, k, element, ticks, bar, knob, label } of handles) {
      const value = meant(side, k), x = at(side, value), y = +knob.getAttribute("cy"), colour = value < 0 ? colours.negative : colours.positive;
      const others = values(side === "in" ? "out" : "in");
      setAll(ticks, { d: [`M${at(side, 0)} ${y - 7}v14`, ...others.map((other) => `M${at(side, other)} ${y - 4}v8`)].join("") });
      setAll(bar, { x1: at(side, 0), x2: x, stroke: colour });
      setAll(knob, { cx: x, fill: value === 0 ? "var(--sl-paper)" : colour });
      setAll(element, { "aria-valuenow": value, "aria-valuetext": number(value) });
      written(label, `${NAMES[side]}${lower(k)} = ${number(value)}`);
    }
    for (const { side, k, node, circle } of nodes) {
      const value = side === "in" ? shown.x[k] : shown.y[k], share = Math.min(1, Math.abs(value) / (side === "in" ? 1 : shown.reach));
      setAll(circle, { fill: signal ? tint(value, share, colours) : "var(--sl-paper)" });
      node.classList.toggle("sl-chosen", signal && side === "out" && k === shown.node);
    }
  }
  return { draw };
}
