// The time line: what the hand did to α and ρ and how many neurons lived, and a slider that goes back to any kept moment.

export function makeTimeline(parent, hand, run) {
  const face = makeCanvas(parent, "time line: live neurons (grey), α (orange), ρ (blue, logarithmic)");
  face.canvas.parentElement.classList.add("sl-strip");
  const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: 0, step: 1, value: 0 });
  slider.setAttribute("aria-label", "time line: go back to a step of the run");
  slider.dataset.part = "time";
  parent.append(slider);
  slider.addEventListener("pointerdown", () => hand.gesture());
  slider.addEventListener("input", () => hand.act(["seek", +slider.value]));

  function follow(frame, busy) {
    const { now, last } = frame.curves;
    if (+slider.max !== last) slider.max = last;
    if (!busy("seek")) slider.value = now[0];
    slider.disabled = last === 0;
    slider.setAttribute("aria-valuetext", `step ${now[0].toLocaleString("en")} of ${last.toLocaleString("en")}`);
  }

  function draw(scene, frame) {
    const size = face.begin();
    if (!size) return;
    const { pen } = face, colours = face.colours(), rows = run.rows(), { now, last } = frame.curves;
    const left = 8, right = size.w - 8, bottom = size.h - 1, total = scene.graph.nodes.slice(1, -1).reduce((a, b) => a + b, 0);
    const column = (name) => scene.curves.columns.indexOf(name), x = (step) => left + step / Math.max(1, last) * (right - left);
    const y = (share) => bottom - share * (bottom - 2);
    pen.fillStyle = colours.faint;
    pen.globalAlpha = 0.5;
    pen.beginPath();
    pen.moveTo(left, bottom);
    for (const row of rows) pen.lineTo(x(row[0]), y(row[column("live")] / total));
    pen.lineTo(rows.length ? x(rows[rows.length - 1][0]) : left, bottom);
    pen.fill();
    pen.globalAlpha = 1;
    const steps = (share, colour, dash) => { // a setting stays until it is moved: a staircase
      pen.strokeStyle = colour;
      pen.lineWidth = 1.6;
      pen.setLineDash(dash);
      pen.beginPath();
      let before = null;
      for (const row of rows) {
        const at = y(share(row));
        if (before !== null) pen.lineTo(x(row[0]), before);
        pen.lineTo(x(row[0]), at);
        before = at;
      }
      pen.stroke();
      pen.setLineDash([]);
    };
    const { family } = scene.curves;
    face.setCaption(`time line: live neurons (grey)${family ? ", α (orange)" : ""}, ρ (blue, logarithmic)`);
    if (family) steps((row) => row[column("alpha")], scene.colours.positive, []);
    steps((row) => Math.max(0, Math.min(1, (Math.log10(Math.max(row[column("rho")], 1e-7)) + 6) / 7)), scene.colours.negative, [5, 2]);
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(x(now[0]), 0);
    pen.lineTo(x(now[0]), size.h);
    pen.stroke();
  }
  return { draw, follow, every: 8, stop: face.stop };
}
