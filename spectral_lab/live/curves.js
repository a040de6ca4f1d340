// The curves: data loss and penalty over the steps, and ‖Γ‖ against α, its trail on top of the reference of SPARCS Fig. 7.

export function makeCurves(parent) {
  const losses = makeCanvas(parent, "loss over steps");
  const transition = makeCanvas(parent, "‖Γ‖ against α");
  const KEPT = 800; // points of the past; beyond it they are thinned to equal gaps in step
  let rows = [], build = null, gap = 0;

  // Rows are (step, data loss, ρΩ, α, ‖Γ‖).
  function remember(scene, frame) {
    if (build !== scene) {
      const past = scene.arrays["curves.past"];
      rows = Array.from({ length: past.length / 5 }, (_, k) => [...past.slice(5 * k, 5 * k + 5)]);
      build = scene;
      gap = 0;
    }
    const now = frame.curves.now, last = rows[rows.length - 1];
    if (last && now[0] < last[0]) rows = rows.filter((row) => row[0] <= now[0]);
    if (last && now.every((v, i) => v === last[i])) return;
    if (rows.length > 1 && last[0] - rows[rows.length - 2][0] < gap) rows.pop(); // too close to the one before to stay
    rows.push(now);
    if (rows.length > KEPT) {
      rows = rows.filter((_, k) => k % 2 === 0 || k === rows.length - 1);
      gap = 2 * (now[0] - rows[0][0]) / KEPT;
    }
  }

  function drawLosses(scene) {
    const size = losses.begin();
    if (!size) return;
    const { pen } = losses, colours = losses.colours(), left = 34, right = size.w - 6, bottom = size.h - 16;
    const low = -6, high = 0, y = logScale(low, high, 6, bottom), steps = Math.max(100, rows[rows.length - 1][0]);
    drawLogAxis(pen, colours, y, low, high, left, right, 2);
    const line = (column, colour, name, at) => {
      pen.strokeStyle = pen.fillStyle = colour;
      pen.lineWidth = 1.8;
      pen.beginPath();
      for (const row of rows) if (row[column] > 0) pen.lineTo(left + row[0] / steps * (right - left), y(row[column]));
      pen.stroke();
      pen.textAlign = "right";
      pen.fillText(name, right - at, 8);
    };
    line(1, colours.ink, "data loss", 44);
    line(2, scene.colours.positive, "ρ Ω(λ)", 0);
    pen.fillStyle = colours.ink;
    pen.textAlign = "right";
    pen.fillText(`step ${steps.toLocaleString("en")}`, right, size.h - 6);
  }

  function drawTransition(scene) {
    const size = transition.begin();
    if (!size) return;
    const { pen } = transition, colours = transition.colours(), left = 34, right = size.w - 10, bottom = size.h - 18;
    const curves = Object.entries(scene.curves.reference);
    const largest = Math.max(0.5, ...rows.map((row) => row[4]), ...curves.flatMap(([, [, norms]]) => norms));
    const x = (alpha) => left + alpha * (right - left), y = (norm) => bottom - norm / (1.05 * largest) * (bottom - 6);
    pen.font = "11px system-ui, sans-serif";
    curves.forEach(([name, [alphas, norms]], i) => {
      pen.strokeStyle = colours.faint;
      pen.lineWidth = 3;
      pen.setLineDash(i ? [2, 4] : []);
      pen.beginPath();
      alphas.forEach((alpha, k) => pen.lineTo(x(alpha), y(norms[k])));
      pen.stroke();
    });
    pen.setLineDash([]);
    pen.strokeStyle = pen.fillStyle = scene.colours.positive;
    pen.lineWidth = 1.2;
    pen.beginPath();
    for (const row of rows) pen.lineTo(x(row[3]), y(row[4]));
    pen.stroke();
    const now = rows[rows.length - 1];
    pen.beginPath();
    pen.arc(x(now[3]), y(now[4]), 5, 0, 2 * Math.PI);
    pen.fill();
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 1;
    pen.strokeRect(left, 4, right - left, bottom - 4);
    pen.fillStyle = colours.ink;
    pen.textBaseline = "middle";
    for (const alpha of [0, 0.5, 1]) { pen.textAlign = "center"; pen.fillText(String(alpha), x(alpha), bottom + 10); }
    pen.textAlign = "right";
    pen.fillText("0", left - 4, bottom);
    pen.fillText(largest.toPrecision(2), left - 4, 10);
  }

  function draw(scene, frame) {
    drawLosses(scene);
    drawTransition(scene);
  }
  return { draw, remember, every: 8, stop: () => { losses.stop(); transition.stop(); } };
}
