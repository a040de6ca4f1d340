// The spectrum: for each hidden neuron |λ| (hollow) and what can pass through it, its path strength (filled), sorted
// within each layer, with the threshold of pruning as a dashed line.

export function makeSpectrum(parent) {
  const face = makeCanvas(parent, "spectrum, sorted: |λ| hollow, path strength filled");
  const LOW = -6, HIGH = 1;

  function draw(scene, frame) {
    const size = face.begin();
    if (!size) return;
    const { pen } = face, colours = face.colours(), left = 34, right = size.w - 6;
    const y = logScale(LOW, HIGH, 6, size.h - 8);
    drawLogAxis(pen, colours, y, LOW, HIGH, left, right, 2);
    const lam = frame.arrays["spectrum.eigenvalues"], strength = frame.arrays["graph.strength"];
    const layers = scene.graph.nodes.slice(1, -1), gap = 2, slots = lam.length + gap * layers.length;
    const radius = Math.max(1.2, Math.min(3.5, 0.4 * (right - left) / slots));
    const hollow = new Path2D(), filled = new Path2D();
    const dot = (path, px, py) => { path.moveTo(px + radius, py); path.arc(px, py, radius, 0, 2 * Math.PI); };
    let first = 0, slot = gap / 2;
    for (const n of layers) {
      const order = [...Array(n).keys()].sort((a, b) => strength[first + b] - strength[first + a]);
      for (const m of order) {
        const px = left + (slot++ + 0.5) / slots * (right - left);
        dot(hollow, px, y(Math.abs(lam[first + m])));
        dot(filled, px, y(strength[first + m]));
      }
      first += n;
      slot += gap;
    }
    pen.lineWidth = 1.2;
    pen.strokeStyle = scene.colours.negative;
    pen.stroke(hollow);
    pen.fillStyle = scene.colours.positive;
    pen.fill(filled);
    const line = (value, dash, colour) => {
      pen.setLineDash(dash);
      pen.strokeStyle = colour;
      pen.beginPath();
      pen.moveTo(left, y(value));
      pen.lineTo(right, y(value));
      pen.stroke();
      pen.setLineDash([]);
    };
    line(scene.graph.live, [2, 3], colours.faint);
    const threshold = frame.controls.values.threshold;
    if (threshold > 0) line(threshold, [6, 4], colours.ink);
  }
  return { draw, every: 4, stop: face.stop };
}
