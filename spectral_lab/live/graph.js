// The network: layers as columns, skip links as arcs above them.  A neuron's state shows by its shape:
// live = filled, dormant = hollow, pruned = crossed out.  Width of a link = |weight|, colour = its sign.
// A hand that points at a node learns about it; a click on a hidden neuron switches it off, and on again.

export function makeGraph(parent, hand) {
  const face = makeCanvas(parent, "network");
  const { canvas } = face, card = makeHover(canvas.parentElement), NEAR = 13;
  canvas.parentElement.classList.add("sl-graph");
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "network: arrow keys choose a neuron, Enter switches it off or on");
  canvas.tabIndex = 0;
  let X = new Float32Array(0), Y = new Float32Array(0), nodes = [], size = null;
  const WIDTHS = 10; // links are drawn in bundles of equal width and colour: few strokes, many lines

  const layerOf = (nodes) => nodes.flatMap((n, i) => Array(n).fill(i));

  // Nodes are numbered through all layers; [layer, index] is their address.
  const address = (k) => { let layer = 0; while (k >= nodes[layer]) k -= nodes[layer++]; return [layer, k]; };
  const number = ([layer, k]) => k + nodes.slice(0, layer).reduce((a, b) => a + b, 0);
  const hidden = (node) => node && node[0] > 0 && node[0] < nodes.length - 1;

  function nearest(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, distance = NEAR;
    for (let k = 0; k < X.length; k++) {
      const d = Math.hypot(X[k] - x, Y[k] - y);
      if (d < distance) { distance = d; best = k; }
    }
    return best === null ? null : address(best);
  }
  const toggle = (node) => {
    if (!hidden(node) || hand.locked("switch")) return;
    hand.gesture();
    hand.toggle(node);
  };
  canvas.addEventListener("pointermove", (event) => {
    const node = nearest(event);
    canvas.style.cursor = hidden(node) ? "pointer" : "default";
    hand.look(node);
  });
  canvas.addEventListener("pointerleave", () => hand.look(null));
  canvas.addEventListener("click", (event) => toggle(nearest(event)));
  canvas.addEventListener("keydown", (event) => {
    if (nodes.length < 3) return;
    const node = hidden(hand.looked()) ? hand.looked() : null, last = nodes.length - 2;
    const to = (layer, k) => hand.look([layer, Math.max(0, Math.min(nodes[layer] - 1, k))]);
    if (event.key === "Enter" || event.key === " ") toggle(node);
    else if (event.key === "Escape") hand.look(null);
    else if (!event.key.startsWith("Arrow")) return;
    else if (!node) to(1, 0);
    else if (event.key === "ArrowDown") to(node[0], node[1] + 1);
    else if (event.key === "ArrowUp") to(node[0], node[1] - 1);
    else to(Math.max(1, Math.min(last, node[0] + (event.key === "ArrowRight" ? 1 : -1))), node[1]);
    event.preventDefault();
  });

  function states(scene, frame) {
    const { live } = scene.graph, threshold = frame.controls.values.threshold;
    const strength = frame.arrays["graph.strength"], total = nodes.reduce((a, b) => a + b, 0);
    const state = Array(total).fill("live");
    for (let n = 0; n < strength.length; n++) {
      if (threshold > 0 && strength[n] <= threshold) state[nodes[0] + n] = "pruned";
      else if (!(strength[n] > live)) state[nodes[0] + n] = "dormant";
    }
    for (const n of frame.graph.off) state[nodes[0] + n] = "pruned";
    return state;
  }

  // Bundles {colour, width → Path2D} of all links that are to be seen, and the faint ones that carry nothing.
  function bundle(scene, frame, state, layer, top, looked) {
    const links = frame.arrays["graph.links"] || scene.arrays["graph.links"], w = frame.arrays["graph.weights"];
    const scale = frame.graph.scale, bundles = new Map(), faint = new Path2D(), own = { positive: new Path2D(), negative: new Path2D() };
    let largest = 0.3; // weights below this stay thin, so that noise does not look like structure
    const carries = new Uint8Array(w.length);
    for (let k = 0; k < w.length; k++) {
      const a = state[links[2 * k]], b = state[links[2 * k + 1]];
      carries[k] = a === "pruned" || b === "pruned" || w[k] === 0 ? 0 : a === "live" && b === "live" ? 2 : 1;
      if (carries[k] === 2) largest = Math.max(largest, Math.abs(w[k]) * scale);
    }
    for (let k = 0; k < w.length; k++) {
      if (!carries[k]) continue;
      const a = links[2 * k], b = links[2 * k + 1], share = Math.abs(w[k]) * scale / largest;
      if (share < 0.01) continue;
      let path = faint;
      if (carries[k] === 2) {
        const key = Math.min(WIDTHS - 1, Math.floor(share * WIDTHS)) * (w[k] > 0 ? 1 : -1) || (w[k] > 0 ? 0.5 : -0.5);
        if (!bundles.has(key)) bundles.set(key, new Path2D());
        path = bundles.get(key);
      }
      if (a === looked || b === looked) path = own[w[k] > 0 ? "positive" : "negative"];
      path.moveTo(X[a], Y[a]);
      const leap = layer[b] - layer[a];
      if (leap > 1) path.bezierCurveTo(X[a] + (X[b] - X[a]) * 0.12, top(leap, a), X[b] - (X[b] - X[a]) * 0.12, top(leap, a), X[b], Y[b]);
      else path.lineTo(X[b], Y[b]);
    }
    return { bundles, faint, own };
  }

  function addNode(paths, state, x, y, radius) {
    const path = paths[state];
    if (state === "pruned") {
      const r = Math.min(radius, 4);
      path.moveTo(x - r, y - r); path.lineTo(x + r, y + r);
      path.moveTo(x - r, y + r); path.lineTo(x + r, y - r);
    } else if (state === "bias") path.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    else { path.moveTo(x + radius, y); path.arc(x, y, radius, 0, 2 * Math.PI); }
  }

  function drawNodes(pen, colours, paths) {
    pen.lineWidth = 1.4;
    pen.strokeStyle = colours.ink;
    for (const [state, path] of Object.entries(paths)) {
      pen.fillStyle = state === "live" ? colours.ink : colours.paper;
      if (state !== "pruned") pen.fill(path);
      pen.stroke(path);
    }
  }

  function draw(scene, frame) {
    size = face.begin();
    if (!size) return;
    nodes = scene.graph.nodes;
    const { pen } = face, colours = face.colours(), { bias, inputs, outputs } = scene.graph, places = scene.arrays["graph.places"];
    const layer = layerOf(nodes), total = layer.length, state = states(scene, frame);
    const at = hand.looked(), looked = at && at[0] < nodes.length && at[1] < nodes[at[0]] ? number(at) : -1;
    const head = 0.24 * size.h, left = 46, right = 46; // the head is kept free for the arcs
    if (X.length !== total) { X = new Float32Array(total); Y = new Float32Array(total); }
    for (let n = 0; n < total; n++) {
      X[n] = left + places[2 * n] * (size.w - left - right);
      Y[n] = head + 14 + places[2 * n + 1] * (size.h - head - 34);
    }
    const top = (leap, a) => 4 + head * (0.1 - 0.3 * leap / nodes.length) + 0.06 * (Y[a] - head);
    const { bundles, faint, own } = bundle(scene, frame, state, layer, top, looked);
    pen.strokeStyle = colours.faint;
    pen.lineWidth = 1; // exactly one pixel is drawn in half the time of thinner or thicker
    pen.globalAlpha = 0.25;
    pen.stroke(faint);
    pen.globalAlpha = 0.8;
    for (const [key, path] of [...bundles].sort((a, b) => Math.abs(a[0]) - Math.abs(b[0]))) {
      pen.strokeStyle = key > 0 ? scene.colours.positive : scene.colours.negative;
      pen.lineWidth = Math.abs(key) < 1 ? 1 : 1 + 4.4 * Math.abs(key) / WIDTHS;
      pen.stroke(path);
    }
    pen.globalAlpha = 1;
    if (looked >= 0) {
      pen.lineWidth = 2.5;
      for (const sign of ["positive", "negative"]) { pen.strokeStyle = scene.colours[sign]; pen.stroke(own[sign]); }
    }
    const strength = frame.arrays["graph.strength"], widest = Math.max(...nodes.slice(1, -1));
    const rows = widest <= 16 ? widest : widest <= 40 ? widest / 2 : 40; // as in topology.layout
    const room = Math.max(2.5, Math.min(10, 0.38 * (size.h - head) / rows));
    // the nodes of a full input or output layer must not cover each other
    const outer = nodes.map((n) => (n === 1 ? 9 : Math.max(2, Math.min(9, 0.45 * (size.h - head - 34) / Math.min(n, 40)))));
    const paths = { dormant: new Path2D(), pruned: new Path2D(), live: new Path2D(), bias: new Path2D() };
    for (let n = 0; n < total; n++) {
      const hidden = layer[n] > 0 && layer[n] < nodes.length - 1;
      const s = hidden ? Math.min(1, strength[n - nodes[0]]) : 1;
      const radius = hidden ? (state[n] === "live" ? room * (0.55 + 0.45 * Math.sqrt(s)) : 0.55 * room) : outer[layer[n]];
      addNode(paths, bias && n === nodes[0] - 1 ? "bias" : state[n], X[n], Y[n], radius);
    }
    drawNodes(pen, colours, paths);
    if (looked >= 0) {
      pen.lineWidth = 2.5;
      pen.strokeStyle = scene.colours.positive;
      pen.beginPath();
      pen.arc(X[looked], Y[looked], room + 5, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.fillStyle = colours.ink;
    pen.font = "13px system-ui, sans-serif";
    pen.textBaseline = "middle";
    const fits = (n) => n <= 12; // more names would cover each other; the card tells them
    pen.textAlign = "right";
    for (let n = 0; n < nodes[0] && fits(nodes[0]); n++) pen.fillText(bias && n === nodes[0] - 1 ? "1" : inputs[n], X[n] - 14, Y[n], left - 14);
    pen.textAlign = "left";
    for (let n = 0; n < outputs.length && fits(outputs.length); n++) pen.fillText(outputs[n], X[total - outputs.length + n] + 14, Y[total - outputs.length + n], right - 14);
    const count = { live: 0, dormant: 0, pruned: 0 };
    for (let n = nodes[0]; n < nodes[0] + strength.length; n++) count[state[n]]++;
    face.setCaption(`network: ${count.live} live ●  ${count.dormant} dormant ○` + (count.pruned ? `  ${count.pruned} pruned ×` : ""));
    Object.assign(canvas.dataset, count);
    card.draw(scene, frame, looked < 0 || !hand.pointing() ? null : { x: X[looked], y: Y[looked] + canvas.offsetTop, w: size.w, h: size.h + canvas.offsetTop });
  }
  return { draw, every: 1, stop: face.stop };
}
