// The spectrum: for each hidden neuron |λ| (hollow, coloured by its sign) and what can pass through it, its path strength
// (filled), sorted within each layer.  A hand can drag each |λ|, and the threshold of pruning, a dashed line.

export function makeSpectrum(parent, hand) {
  const face = makeCanvas(parent, "spectrum: |λ| hollow, path strength filled");
  const { canvas } = face, LOW = -6, NEAR = 14, HANDLE = 12;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "spectrum: left and right choose a neuron, up and down change its eigenvalue, minus flips its sign, 0 silences it");
  canvas.tabIndex = 0;
  let scene = null, frame = null, size = null, order = [], held = null, edge = 0, HIGH = 1;
  let px = new Float32Array(0), py = new Float32Array(0); // where each |λ| stands

  const y = (value) => logScale(LOW, HIGH, 6, size.h - 8)(value);
  const toValue = (at) => { // the other way; the bottom line is an exact 0
    const exponent = LOW + (size.h - 8 - at) / (size.h - 14) * (HIGH - LOW);
    return exponent <= LOW ? 0 : +(10 ** Math.min(exponent, HIGH)).toPrecision(3);
  };
  const lam = () => frame.arrays["spectrum.eigenvalues"];
  const sign = (n) => (lam()[n] < 0 ? -1 : 1);

  // Hidden neuron n, counted through all layers → [hidden layer, index in it].
  function address(n) {
    let layer = 0;
    for (const wide of scene.graph.nodes.slice(1, -1)) {
      if (n < wide) return [layer, n];
      n -= wide;
      layer++;
    }
    return null;
  }
  const set = (n, value) => hand.hands("eigenvalue", [...address(n), value]);
  const look = (n) => { const [layer, m] = address(n); hand.look([layer + 1, m]); };

  function nearest(x, at) {
    let best = -1, distance = NEAR;
    for (let n = 0; n < px.length; n++) {
      const d = Math.hypot(px[n] - x, py[n] - at);
      if (d < distance) { distance = d; best = n; }
    }
    return best;
  }
  const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  const onThreshold = (x, at) => {
    const { threshold } = frame.controls.values, line = y(threshold);
    return Math.abs(at - line) < 7 && (x > edge - HANDLE || (threshold > 0 && nearest(x, at) < 0));
  };

  canvas.addEventListener("pointermove", (event) => {
    if (!frame || !size) return;
    const [x, at] = place(event);
    if (held === "threshold") hand.move("threshold", toValue(at));
    else if (held !== null) set(held, sign(held) * toValue(at));
    else {
      const n = nearest(x, at);
      canvas.style.cursor = onThreshold(x, at) ? "ns-resize" : n >= 0 ? "grab" : "default";
      if (n >= 0) look(n);
      else hand.look(null);
    }
  });
  canvas.addEventListener("pointerdown", (event) => {
    if (!frame || !size) return;
    const [x, at] = place(event), n = nearest(x, at);
    if (onThreshold(x, at) && !hand.locked("threshold")) held = "threshold";
    else if (n >= 0 && !hand.locked("eigenvalue")) held = n;
    else return;
    hand.gesture();
    hand.hold(held !== "threshold"); // while an eigenvalue is in the hand, training does not pull at it
    canvas.setPointerCapture(event.pointerId);
    canvas.style.cursor = "grabbing";
    event.preventDefault();
    canvas.focus({ preventScroll: true });
  });
  const release = () => { if (held !== null) { held = null; hand.hold(false); canvas.style.cursor = "default"; } };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("lostpointercapture", release);
  canvas.addEventListener("pointerleave", () => { if (held === null) hand.look(null); });
  canvas.addEventListener("keydown", (event) => {
    if (!frame || !px.length) return;
    const looked = hand.looked(), nodes = scene.graph.nodes;
    let n = looked && looked[0] > 0 && looked[0] < nodes.length - 1 ? looked[1] + nodes.slice(1, looked[0]).reduce((a, b) => a + b, 0) : order[0];
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      if (looked) n = order[(order.indexOf(n) + step + order.length) % order.length];
      look(n);
    } else if (hand.locked("eigenvalue")) return;
    else if (event.key === "ArrowUp") set(n, sign(n) * Math.min(10, Math.max(1e-4, +(Math.abs(lam()[n]) * 1.25).toPrecision(3))));
    else if (event.key === "ArrowDown") set(n, sign(n) * +(Math.abs(lam()[n]) / 1.25).toPrecision(3));
    else if (event.key === "-") set(n, -lam()[n]);
    else if (event.key === "0") set(n, 0);
    else return;
    if (!step) look(n);
    event.preventDefault();
  });

  function draw(newScene, newFrame) {
    scene = newScene;
    frame = newFrame;
    size = face.begin();
    if (!size) return;
    const { pen } = face, colours = face.colours(), left = 34, right = size.w - 6 - HANDLE;
    edge = size.w;
    if (held === null) HIGH = Math.max(...frame.arrays["graph.strength"]) > 10 ? 2 : 1;
    drawLogAxis(pen, colours, y, LOW, HIGH, left, right, 2);
    const values = lam(), strength = frame.arrays["graph.strength"];
    const layers = scene.graph.nodes.slice(1, -1), gap = 2, slots = values.length + gap * layers.length;
    const radius = Math.max(1.4, Math.min(4, 0.42 * (right - left) / slots));
    if (held === null || order.length !== values.length) { // nobody's place changes while a hand drags
      order = [];
      let first = 0;
      for (const n of layers) {
        order.push(...[...Array(n).keys()].map((m) => first + m).sort((a, b) => strength[b] - strength[a]));
        first += n;
      }
    }
    if (px.length !== values.length) { px = new Float32Array(values.length); py = new Float32Array(values.length); }
    const paths = { positive: new Path2D(), negative: new Path2D() }, filled = new Path2D();
    const dot = (path, x, at, r) => { path.moveTo(x + r, at); path.arc(x, at, r, 0, 2 * Math.PI); };
    let k = 0;
    layers.forEach((wide, i) => {
      for (let m = 0; m < wide; m++, k++) {
        const n = order[k];
        px[n] = left + (k + i * gap + gap / 2 + 0.5) / slots * (right - left);
        py[n] = y(Math.abs(values[n]));
        dot(values[n] < 0 ? paths.negative : paths.positive, px[n], py[n], radius);
        dot(filled, px[n], y(strength[n]), Math.max(1, 0.5 * radius));
      }
    });
    pen.lineWidth = 1.4;
    for (const name of ["positive", "negative"]) { pen.strokeStyle = scene.colours[name]; pen.stroke(paths[name]); }
    pen.fillStyle = colours.ink;
    pen.fill(filled);
    const looked = hand.looked();
    if (looked && looked[0] > 0 && looked[0] <= layers.length) {
      const n = looked[1] + layers.slice(0, looked[0] - 1).reduce((a, b) => a + b, 0);
      const ring = new Path2D();
      dot(ring, px[n], py[n], radius + 4);
      pen.lineWidth = 2;
      pen.strokeStyle = colours.ink;
      pen.stroke(ring);
    }
    const line = (value, dash, colour) => {
      pen.setLineDash(dash);
      pen.strokeStyle = colour;
      pen.lineWidth = 1.2;
      pen.beginPath();
      pen.moveTo(left, y(value));
      pen.lineTo(right, y(value));
      pen.stroke();
      pen.setLineDash([]);
    };
    line(scene.graph.live, [2, 3], colours.faint);
    const { threshold } = frame.controls.values, at = y(threshold);
    if (threshold > 0) line(threshold, [6, 4], colours.ink);
    canvas.dataset.held = typeof held === "number" ? values[held] : ""; // for whoever watches from outside
    pen.fillStyle = colours.ink; // the handle of the threshold
    pen.beginPath();
    pen.moveTo(right + 1, at);
    pen.lineTo(right + HANDLE, at - 6);
    pen.lineTo(right + HANDLE, at + 6);
    pen.fill();
  }
  return { draw, get every() { return held === null ? 4 : 1; }, stop: face.stop };
}
