// The network: layers as columns, skip links as arcs above them.  A neuron's state shows by its shape:
// live = filled, dormant = hollow, pruned = crossed out.  Width of a link = |weight|, colour = its sign.

export function makeGraph(parent) {
  const face = makeCanvas(parent, "network");
  face.canvas.parentElement.classList.add("sl-graph");
  const WIDTHS = 10; // links are drawn in bundles of equal width and colour: few strokes, many lines

  const layerOf = (nodes) => nodes.flatMap((n, i) => Array(n).fill(i));

  function states(scene, frame) {
    const { nodes, live } = scene.graph, threshold = frame.controls.values.threshold;
    const strength = frame.arrays["graph.strength"], total = nodes.reduce((a, b) => a + b, 0);
    const state = Array(total).fill("live");
    for (let n = 0; n < strength.length; n++) {
      if (threshold > 0 && strength[n] <= threshold) state[nodes[0] + n] = "pruned";
      else if (!(strength[n] > live)) state[nodes[0] + n] = "dormant";
    }
    return state;
  }

  // Bundles {colour, width → Path2D} of all links that are to be seen, and the faint ones that carry nothing.
  function bundle(scene, frame, state, X, Y, layer, top) {
    const links = frame.arrays["graph.links"] || scene.arrays["graph.links"], w = frame.arrays["graph.weights"];
    const scale = frame.graph.scale, bundles = new Map(), faint = new Path2D();
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
      path.moveTo(X[a], Y[a]);
      const leap = layer[b] - layer[a];
      if (leap > 1) path.bezierCurveTo(X[a] + (X[b] - X[a]) * 0.12, top(leap, a), X[b] - (X[b] - X[a]) * 0.12, top(leap, a), X[b], Y[b]);
      else path.lineTo(X[b], Y[b]);
    }
    return { bundles, faint };
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
    const size = face.begin();
    if (!size) return;
    const { pen } = face, colours = face.colours(), { nodes, bias } = scene.graph, places = scene.arrays["graph.places"];
    const layer = layerOf(nodes), total = layer.length, state = states(scene, frame);
    const head = 0.24 * size.h, left = 46, right = 46; // the head is kept free for the arcs
    const X = new Float32Array(total), Y = new Float32Array(total);
    for (let n = 0; n < total; n++) {
      X[n] = left + places[2 * n] * (size.w - left - right);
      Y[n] = head + 14 + places[2 * n + 1] * (size.h - head - 34);
    }
    const top = (leap, a) => 4 + head * (0.1 - 0.3 * leap / nodes.length) + 0.06 * (Y[a] - head);
    const { bundles, faint } = bundle(scene, frame, state, X, Y, layer, top);
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
    const strength = frame.arrays["graph.strength"], widest = Math.max(...nodes.slice(1, -1));
    const rows = widest <= 16 ? widest : widest <= 40 ? widest / 2 : 40; // as in topology.layout
    const room = Math.max(2.5, Math.min(10, 0.38 * (size.h - head) / rows));
    const paths = { dormant: new Path2D(), pruned: new Path2D(), live: new Path2D(), bias: new Path2D() };
    for (let n = 0; n < total; n++) {
      const hidden = layer[n] > 0 && layer[n] < nodes.length - 1;
      const s = hidden ? Math.min(1, strength[n - nodes[0]]) : 1;
      const radius = hidden ? (state[n] === "live" ? room * (0.55 + 0.45 * Math.sqrt(s)) : 0.55 * room) : 9;
      addNode(paths, bias && n === nodes[0] - 1 ? "bias" : state[n], X[n], Y[n], radius);
    }
    drawNodes(pen, colours, paths);
    pen.fillStyle = colours.ink;
    pen.font = "13px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (let n = 0; n < nodes[0]; n++) pen.fillText(bias && n === nodes[0] - 1 ? "1" : `x${"₁₂₃₄₅₆₇₈₉"[n] || ""}`, X[n] - 14, Y[n]);
    pen.textAlign = "left";
    pen.fillText("y", X[total - 1] + 14, Y[total - 1]);
    const count = { live: 0, dormant: 0, pruned: 0 };
    for (let n = nodes[0]; n < nodes[0] + strength.length; n++) count[state[n]]++;
    face.setCaption(`network: ${count.live} live ●  ${count.dormant} dormant ○` + (count.pruned ? `  ${count.pruned} pruned ×` : ""));
    Object.assign(face.canvas.dataset, count);
  }
  return { draw, every: 1, stop: face.stop };
}
