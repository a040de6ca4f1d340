// The curves: data loss and penalty over the steps, and ‖Γ‖ against α, its trail on top of the reference of SPARCS Fig. 7.

export function makeCurves(parent, run) {
  const losses = makeCanvas(parent, "loss over steps");
  const transition = makeCanvas(parent, "‖Γ‖ against α");
  const column = (scene, name) => scene.curves.columns.indexOf(name);

  function drawLosses(scene, frame) {
    const size = losses.begin();
    if (!size) return;
    const { pen } = losses, colours = losses.colours(), left = 34, right = size.w - 6, bottom = size.h - 16;
    const rows = run.rows(), steps = Math.max(100, frame.curves.last), low = -6, high = rows.some((row) => row[1] > 1) ? 1 : 0;
    const y = logScale(low, high, 6, bottom);
    drawLogAxis(pen, colours, y, low, high, left, right, 2);
    pen.font = "11px system-ui, sans-serif";
    const line = (name, text, colour, at, dash = []) => {
      const values = column(scene, name);
      pen.strokeStyle = pen.fillStyle = colour;
      pen.lineWidth = 1.8;
      pen.setLineDash(dash);
      pen.beginPath();
      for (const row of rows) if (row[values] > 0) pen.lineTo(left + row[0] / steps * (right - left), y(row[values]));
      pen.stroke();
      pen.setLineDash([]);
      pen.textAlign = "right";
      pen.fillText(text, right - at, 8);
    };
    line("loss", "data loss", colours.ink, 110);
    line("validation", "validation", scene.colours.negative, 46, [4, 3]);
    line("penalty", "ρ Ω(λ)", scene.colours.positive, 0);
    const now = left + frame.curves.now[0] / steps * (right - left);
    if (frame.curves.now[0] < frame.curves.last) { // a look back
      pen.strokeStyle = colours.ink;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(now, 6);
      pen.lineTo(now, bottom);
      pen.stroke();
    }
    pen.fillStyle = colours.ink;
    pen.textAlign = "right";
    pen.fillText(`step ${steps.toLocaleString("en")}`, right, size.h - 6);
  }

  function drawTransition(scene, frame) {
    const size = transition.begin();
    if (!size) return;
    const { pen } = transition, colours = transition.colours(), left = 34, right = size.w - 10, bottom = size.h - 18;
    const curves = Object.entries(scene.curves.reference), rows = run.rows(), norms = column(scene, "norm"), alphas = column(scene, "alpha");
    const largest = Math.max(0.5, ...rows.map((row) => row[norms]), ...curves.flatMap(([, [, norms]]) => norms));
    const { family } = scene.curves, along = (row) => (family ? row[alphas] : row[0] / Math.max(1, frame.curves.last));
    const x = (share) => left + share * (right - left), y = (norm) => bottom - norm / (1.05 * largest) * (bottom - 6);
    pen.font = "11px system-ui, sans-serif";
    curves.forEach(([, [places, heights]], i) => {
      pen.strokeStyle = colours.faint;
      pen.lineWidth = 3;
      pen.setLineDash(i ? [2, 4] : []);
      pen.beginPath();
      places.forEach((alpha, k) => pen.lineTo(x(alpha), y(heights[k])));
      pen.stroke();
    });
    pen.setLineDash([]);
    pen.strokeStyle = pen.fillStyle = scene.colours.positive;
    pen.lineWidth = 1.2;
    pen.beginPath();
    for (const row of rows) if (row[0] <= frame.curves.now[0]) pen.lineTo(x(along(row)), y(row[norms]));
    pen.stroke();
    const { now } = frame.curves;
    pen.beginPath();
    pen.arc(x(along(now)), y(now[norms]), 5, 0, 2 * Math.PI);
    pen.fill();
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 1;
    pen.strokeRect(left, 4, right - left, bottom - 4);
    pen.fillStyle = colours.ink;
    pen.textBaseline = "middle";
    transition.setCaption(family ? "‖Γ‖ against α" : "‖Γ‖ over steps");
    for (const alpha of family ? [0, 0.5, 1] : []) { pen.textAlign = "center"; pen.fillText(String(alpha), x(alpha), bottom + 10); }
    pen.textAlign = "right";
    pen.fillText("0", left - 4, bottom);
    pen.fillText(largest.toPrecision(2), left - 4, 10);
  }

  function draw(scene, frame) {
    drawLosses(scene, frame);
    drawTransition(scene, frame);
  }
  return { draw, every: 8, stop: () => { losses.stop(); transition.stop(); } };
}
