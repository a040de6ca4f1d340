// Accuracy against the share of pruned neurons, a curve for each ranking, and below it the sorted scores on the same axis.  The line
// stands where the slider is; a hand may drag it here too.

export function makeRemoval(parent, hand) {
  const face = makeCanvas(parent, ""), { canvas, pen } = face, left = 46, ends = 14;
  canvas.classList.add("sl-dragged");
  let width = 0, holds = false;
  const pointed = (event) => Math.max(0, Math.min(1, (event.clientX - canvas.getBoundingClientRect().left - left) / (width - left - ends)));
  canvas.addEventListener("pointerdown", (event) => { if (event.button) return; holds = true; canvas.setPointerCapture(event.pointerId); hand.share(pointed(event)); });
  canvas.addEventListener("pointermove", (event) => { if (holds) hand.share(pointed(event)); });
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(kind, () => { holds = false; });

  function draw(scene, told, view, tints) {
    const size = face.begin();
    if (!size) return;
    width = size.w;
    const { ink, faint, paper } = face.colours(), pool = scene.places.length, right = size.w - ends, top = 10, bottom = Math.round(0.66 * size.h), base = size.h - 42;
    const x = (share) => left + share * (right - left), y = (v) => bottom - v * (bottom - top), at = x(1 - view.keep / pool);
    const dashed = (line, dash) => { pen.setLineDash(dash); pen.stroke(line); pen.setLineDash([]); };
    pen.font = "14px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    pen.lineWidth = 1;
    for (const v of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
      pen.strokeStyle = faint;
      pen.globalAlpha = 0.5;
      pen.beginPath(); pen.moveTo(left, y(v)); pen.lineTo(right, y(v)); pen.stroke();
      pen.globalAlpha = 1;
      pen.fillStyle = ink;
      pen.fillText(v.toFixed(1), left - 7, y(v));
    }
    pen.fillStyle = ink;
    pen.globalAlpha = 0.16;
    pen.beginPath();
    for (let k = 0; k <= pool; k++) pen.lineTo(x(1 - k / pool), y(scene.band[0][k]));
    for (let k = pool; k >= 0; k--) pen.lineTo(x(1 - k / pool), y(scene.band[1][k]));
    pen.fill();
    pen.globalAlpha = 1;
    for (const ranked of [...scene.rankings.filter((r) => r !== view.ranked), view.ranked]) {
      const line = new Path2D();
      ranked.accuracy.forEach((v, k) => line.lineTo(x(1 - k / pool), y(v)));
      pen.strokeStyle = tints[ranked.name];
      pen.lineWidth = ranked === view.ranked ? 4 : 1.8;
      dashed(line, ranked === view.ranked ? [] : dashOf(ranked.name));
    }
    drawTrained(scene, told, x, y, tints, ink, paper);
    
    pen.strokeStyle = ink;
    pen.lineWidth = 1.5;
    pen.beginPath(); pen.moveTo(at, top); pen.lineTo(at, base); pen.stroke();
    pen.beginPath();
    pen.arc(at, y(view.ranked.accuracy[view.keep]), 8, 0, 2 * Math.PI);
    pen.fillStyle = tints[view.ranked.name];
    pen.fill();
    pen.strokeStyle = paper;
    pen.lineWidth = 2;
    pen.stroke();
    drawScores(scene, view, x, bottom + 20, base, tints, ink, faint, paper);
    pen.fillStyle = ink;
    pen.textBaseline = "alphabetic";
    for (const v of [0, 0.2, 0.4, 0.6, 0.8, 1]) { pen.textAlign = v === 1 ? "right" : "center"; pen.fillText(v.toFixed(1), x(v) + (v === 1 ? 8 : 0), base + 16); }
    pen.textAlign = "center";
    pen.fillText("share of pruned neurons", (left + right) / 2, size.h - 6);
    drawLegend(scene, told, left + 10, bottom, ink, paper);
    face.setCaption(`accuracy on ${scene.unseen.toLocaleString("en")} unseen ${scene.image ? "images" : "samples"}`);
    canvas.setAttribute("aria-label", `accuracy against the share of pruned neurons; now ${view.ranked.accuracy[view.keep].toFixed(3)}`);
  }

  function haloed(text, x, y, ink, paper) {
    pen.strokeStyle = paper;
    pen.lineWidth = 4;
    pen.lineJoin = "round";
    pen.strokeText(text, x, y);
    pen.fillStyle = ink;
    pen.fillText(text, x, y);
  }

  // What is no ranking is named where the curves leave room.
  function drawLegend(scene, told, x, bottom, ink, paper) {
    const rows = ["20 random orders", ...(told.tickets.length ? ["pre-training"] : []), ...(told.retrained.length ? ["retrained"] : [])];
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    rows.forEach((text, k) => {
      const y = bottom - 12 - 20 * (rows.length - 1 - k);
      pen.fillStyle = ink;
      if (k === 0) { pen.globalAlpha = 0.25; pen.fillRect(x, y - 6, 22, 12); pen.globalAlpha = 1; }
      else if (text === "retrained") pen.fillText("★", x + 5, y);
      else { pen.fillStyle = hand.shade(scene.colours.pretrained); pen.fillRect(x + 6, y - 5, 10, 10); }
      haloed(text, x + 30, y, ink, paper);
    });
  }

  // Squares for tickets of pre-training, and a star above the share at which what was left was trained once more.
  function drawTrained(scene, told, x, y, tints, ink, paper) {
    pen.strokeStyle = pen.fillStyle = hand.shade(scene.colours.pretrained);
    pen.lineWidth = 2.5;
    pen.beginPath();
    for (const [share, accuracy] of told.tickets) pen.lineTo(x(share), y(accuracy));
    pen.stroke();
    for (const [share, accuracy] of told.tickets) pen.fillRect(x(share) - 5, y(accuracy) - 5, 10, 10);
    for (const { share, ranking, before, after } of told.retrained) {
      pen.strokeStyle = ink;
      pen.lineWidth = 1.5;
      pen.setLineDash([3, 3]);
      pen.beginPath(); pen.moveTo(x(share), y(before)); pen.lineTo(x(share), y(after)); pen.stroke();
      pen.setLineDash([]);
      pen.beginPath();
      for (let k = 0; k < 10; k++) {
        const r = k % 2 ? 4.5 : 11, angle = -Math.PI / 2 + k * Math.PI / 5;
        pen.lineTo(x(share) + r * Math.cos(angle), y(after) + r * Math.sin(angle));
      }
      pen.closePath();
      pen.fillStyle = tints[ranking] || ink;
      pen.fill();
      pen.strokeStyle = paper;
      pen.stroke();
    }
  }

  // Bars from the least relevant neuron on the left: what stands left of the line is pruned.
  function drawScores(scene, view, x, top, base, tints, ink, faint, paper) {
    const { ranked, keep } = view, pool = ranked.order.length, most = Math.max(...ranked.score, 1e-12), wide = Math.max(1, (x(1) - x(0)) / pool - 1);
    pen.strokeStyle = faint;
    pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(x(0), base); pen.lineTo(x(1), base); pen.stroke();
    ranked.order.forEach((node, k) => {
      const high = Math.max(1, Math.max(0, ranked.score[node]) / most * (base - top)), place = x(1 - (k + 1) / pool) + 0.5;
      if (k < keep) { pen.fillStyle = tints[ranked.name]; pen.fillRect(place, base - high, wide, high); }
      else { pen.strokeStyle = ink; pen.globalAlpha = 0.55; pen.strokeRect(place + 0.5, base - high, Math.max(0.5, wide - 1), high); pen.globalAlpha = 1; }
    });
    pen.fillStyle = ink;
    pen.textAlign = "left";
    haloed(`scores: ${ranked.label}`, x(0) + 4, top + 2, ink, paper);
  }
  return { draw, face, stop: face.stop };
}
