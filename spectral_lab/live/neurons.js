// The neurons of the bench: an image on the left, hidden neurons in blocks, the answer on the right.  A neuron that is kept is
// a disc, its size its score; a pruned one is a small cross without links.  From the image to each neuron goes one bundle, for
// all of its incoming links share one λ.  A hand that points at a neuron sees what it looks for.

export function makeNeurons(parent, hand) {
  const face = makeCanvas(parent, "network"), { canvas, pen } = face, NEAR = 16;
  canvas.parentElement.classList.add("sl-graph");
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "network: arrow keys choose a hidden neuron, a click on the image shows another one");
  canvas.tabIndex = 0;
  const card = document.createElement("div"), words = document.createElement("div"), patch = document.createElement("canvas"), spoken = document.createElement("div");
  card.className = "sl-hover";
  spoken.className = "sl-spoken";
  spoken.setAttribute("role", "status");
  card.append(words, patch);
  card.hidden = true;
  canvas.parentElement.append(card, spoken);
  let X = [], Y = [], tile = null, known = 0, pictures = null, cached = null;

  function nearest(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, distance = NEAR;
    for (let k = 0; k < known; k++) {
      const d = Math.hypot(X[k] - x, Y[k] - y);
      if (d < distance) { distance = d; best = k; }
    }
    const inside = tile && x >= tile.x && x <= tile.x + tile.size && y >= tile.y && y <= tile.y + tile.size;
    return { node: best, inside };
  }
  canvas.addEventListener("pointermove", (event) => {
    const { node, inside } = nearest(event);
    canvas.style.cursor = inside ? "pointer" : "default";
    hand.look(node);
  });
  canvas.addEventListener("pointerleave", () => hand.look(null));
  canvas.addEventListener("click", (event) => { if (nearest(event).inside) hand.another(); });
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }, now = hand.looked();
    if (event.key === "Enter" || event.key === " ") hand.another();
    else if (event.key === "Escape") hand.look(null);
    else if (event.key in steps) hand.look(now === null ? 0 : (now + steps[event.key] + known) % known);
    else return;
    event.preventDefault();
  });

  // Grey images and signed patches, painted once and then only scaled.
  function paint(values, start, [high, wide], tint) {
    const made = document.createElement("canvas"), inside = made.getContext("2d");
    made.width = wide; made.height = high;
    const data = inside.createImageData(wide, high);
    for (let k = 0; k < wide * high; k++) data.data.set([...tint(values[start + k] / 127), 255], 4 * k);
    inside.putImageData(data, 0, 0);
    return made;
  }
  const channels = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  const signed = (colours) => (v) => channels(v < 0 ? colours.negative : colours.positive).map((c) => 247 + (c - 247) * Math.abs(v));

  function place(scene, size) {
    const H = size.h - 14, W = Math.min(size.w - 8, 1.75 * H), left = (size.w - W) / 2, unit = Math.min(H, W / scene.aspect);
    known = scene.places.length;
    X = scene.places.map(([x]) => left + x * W);
    Y = scene.places.map(([, y]) => 7 + y * H);
    for (const [x, y] of scene.outputs) { X.push(left + x * W); Y.push(7 + y * H); }
    const gap = scene.outputs.length > 1 ? Y[known + 1] - Y[known] : 40;
    const side = Math.min(0.165 * W, 130);
    tile = { x: left + Math.max(2, (96 - side) / 2), y: 7 + H / 2 - side / 2, size: side };
    return { unit, gap, right: left + W };
  }

  const layers = (scene) => scene.sizes.slice(1, -1).flatMap((n, layer) => Array(n).fill(layer));

  // Lines of one colour and width are drawn in one stroke.
  function drawLinks(scene, alive, looked, ink) {
    const positive = hand.shade(scene.colours.positive), negative = hand.shade(scene.colours.negative), groups = new Map();
    const add = (key, x0, y0, x1, y1) => {
      if (!groups.has(key)) groups.set(key, new Path2D());
      groups.get(key).moveTo(x0, y0);
      groups.get(key).lineTo(x1, y1);
    };
    scene.bundles.forEach((norm, k) => {
      if (alive[k]) add(`${ink} ${(0.4 + 1.8 * Math.round(4 * norm) / 4).toFixed(2)} ${looked === k ? 0.9 : looked === null ? 0.22 : 0.08}`, tile.x + tile.size, tile.y + tile.size / 2, X[k], Y[k]);
    });
    for (const [source, target, weight] of scene.links) {
      if (!alive[source] || (target < known && !alive[target])) continue;
      const mine = looked === source || looked === target, strength = Math.abs(weight);
      add(`${weight < 0 ? negative : positive} ${(0.3 + 2.6 * Math.round(5 * strength) / 5).toFixed(2)} ${mine ? 0.95 : looked === null ? 0.4 : 0.1}`, X[source], Y[source], X[target], Y[target]);
    }
    for (const [key, path] of groups) {
      const [stroke, width, alpha] = key.match(/^(.*) ([\d.]+) ([\d.]+)$/).slice(1);
      pen.strokeStyle = stroke;
      pen.lineWidth = +width;
      pen.globalAlpha = +alpha;
      pen.stroke(path);
    }
    pen.globalAlpha = 1;
  }

  function drawNodes(scene, ranked, alive, looked, unit, tint, { ink, paper }) {
    const most = Math.max(...ranked.score, 1e-12), of = layers(scene);
    for (let k = 0; k < known; k++) {
      const most_r = 0.46 * scene.spacing[of[k]] * unit, r = Math.max(1.6, most_r * (0.3 + 0.7 * Math.max(0, ranked.score[k]) / most));
      pen.beginPath();
      if (alive[k]) {
        pen.arc(X[k], Y[k], r, 0, 2 * Math.PI);
        pen.fillStyle = tint;
        pen.fill();
        pen.strokeStyle = paper;
        pen.lineWidth = 1;
        pen.stroke();
      } else {
        const d = Math.min(4.5, 0.5 * most_r);
        pen.moveTo(X[k] - d, Y[k] - d); pen.lineTo(X[k] + d, Y[k] + d);
        pen.moveTo(X[k] + d, Y[k] - d); pen.lineTo(X[k] - d, Y[k] + d);
        pen.strokeStyle = ink;
        pen.globalAlpha = 0.45;
        pen.lineWidth = 1.2;
        pen.stroke();
        pen.globalAlpha = 1;
      }
      if (looked === k) {
        pen.beginPath();
        pen.arc(X[k], Y[k], most_r + 3, 0, 2 * Math.PI);
        pen.strokeStyle = ink;
        pen.lineWidth = 2;
        pen.stroke();
      }
    }
  }

  // The image, what it is, and what the network takes it for; a bar for the probability of each class.
  function drawEnds(scene, said, truth, example, geometry, { ink, faint, paper }) {
    const { gap, right } = geometry, guess = said.indexOf(Math.max(...said)), correct = guess === truth;
    pen.font = "600 15px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.fillStyle = ink;
    if (scene.image) {
      pen.imageSmoothingEnabled = false;
      pen.drawImage(pictures[example], tile.x, tile.y, tile.size, tile.size);
    }
    else {
      pen.textBaseline = "middle";
      pen.fillText(`${scene.sizes[0]} inputs`, tile.x + tile.size / 2, tile.y + tile.size / 2);
    }
    pen.strokeStyle = ink;
    pen.lineWidth = 1;
    pen.strokeRect(tile.x, tile.y, tile.size, tile.size);
    pen.textBaseline = "bottom";
    pen.fillText(scene.image ? `this is a ${truth}` : `class ${truth}`, tile.x + tile.size / 2, tile.y - 6);
    pen.textBaseline = "top";
    pen.fillText(correct ? `✓ seen as ${guess}` : `✗ seen as ${guess}`, tile.x + tile.size / 2, tile.y + tile.size + 8);
    if (scene.examples.length > 1) {
      pen.font = "13px system-ui, sans-serif";
      pen.fillText("click: another", tile.x + tile.size / 2, tile.y + tile.size + 30);
    }
    pen.font = "600 15px system-ui, sans-serif";
    pen.textBaseline = "middle";
    said.forEach((p, k) => {
      const x = X[known + k], y = Y[known + k], side = Math.min(gap - 2, 22);
      pen.fillStyle = k === guess ? ink : paper;
      pen.strokeStyle = k === truth ? ink : faint;
      pen.lineWidth = k === truth ? 2.5 : 1;
      pen.fillRect(x - side / 2, y - side / 2, side, side);
      pen.strokeRect(x - side / 2, y - side / 2, side, side);
      pen.fillStyle = k === guess ? paper : ink;
      if (side > 11) pen.fillText(String(k), x, y + 1);
      pen.fillStyle = ink;
      pen.fillRect(x + side / 2 + 5, y - Math.min(5, side / 3), Math.max(1, p * (right - x - side / 2 - 8)), Math.min(10, 2 * side / 3));
    });
  }

  function drawCard(scene, ranked, looked, alive, size) {
    card.hidden = looked === null;
    if (card.hidden) { spoken.textContent = ""; return; }
    const of = layers(scene), first = of.indexOf(of[looked]), rank = ranked.order.indexOf(looked) + 1;
    const lines = [`neuron ${looked - first}${scene.sizes.length > 3 ? ` of hidden layer ${of[looked]}` : ""}${alive[looked] ? "" : ", pruned"}`];
    if (scene.eigenvalues) lines.push(`λ = ${scene.eigenvalues[looked].toPrecision(3)}`);
    lines.push(`${ranked.label}: ${ranked.score[looked].toPrecision(3)}`, `rank ${rank} of ${known}`);
    const sees = scene.image && of[looked] === 0;
    if (sees) lines.push("its incoming weights:");
    const text = lines.join("\n");
    if (words.textContent !== text) { words.textContent = text; spoken.textContent = text; }
    patch.hidden = !sees;
    if (sees) {
      const [high, wide] = scene.image;
      patch.width = wide; patch.height = high;
      patch.getContext("2d").drawImage(paint(hand.arrays().looks, looked * high * wide, scene.image, signed(scene.colours)), 0, 0);
    }
    const wide = card.offsetWidth, high = card.offsetHeight, top = canvas.offsetTop, before = X[looked] > 0.5 * size.w;
    card.style.left = `${Math.max(0, before ? X[looked] - wide - 20 : X[looked] + 20)}px`;
    card.style.top = `${top + Math.max(0, Math.min(size.h - high, Y[looked] - high / 2))}px`;
  }

  // view: {ranked, keep, example, looked, tint}
  function draw(scene, view) {
    const size = face.begin();
    if (!size) return;
    const { ranked, keep, looked, tint } = view, colours = face.colours(), arrays = hand.arrays();
    if (cached !== scene) {
      cached = scene;
      pictures = scene.image ? scene.examples.map((_, k) => paint(arrays.images, k * scene.image[0] * scene.image[1], scene.image, (v) => Array(3).fill(255 * Math.max(0, v)))) : [];
    }
    const geometry = place(scene, size), alive = new Uint8Array(known), outputs = scene.sizes[scene.sizes.length - 1];
    for (let k = 0; k < keep; k++) alive[ranked.order[k]] = 1;
    const example = view.example % scene.examples.length, at = (keep * scene.examples.length + example) * outputs;
    const said = Array.from(arrays[`answers.${ranked.name}`].slice(at, at + outputs), (v) => v / 127);
    drawLinks(scene, alive, looked, colours.ink);
    drawNodes(scene, ranked, alive, looked, geometry.unit, tint, colours);
    drawEnds(scene, said, scene.examples[example], example, geometry, colours);
    drawCard(scene, ranked, looked, alive, size);
    face.setCaption(`${scene.sizes.join("–")} pruned to ${ranked.nodes[keep].join("–")}  (● kept, by score; × pruned)`);
  }
  return { draw, face, stop: face.stop };
}
