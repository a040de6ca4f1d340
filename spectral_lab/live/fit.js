// The fit: target, output and error over the input square, and the two as curves along its diagonal.

export function makeFit(parent) {
  const face = makeCanvas(parent, "target, output, error over the square; along its diagonal");
  const patch = document.createElement("canvas");
  const hex = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));

  function paint(values, n, limit, colours) {
    const [negative, middle, positive] = [colours.negative, colours.middle, colours.positive].map(hex);
    patch.width = patch.height = n;
    const pen = patch.getContext("2d"), picture = pen.createImageData(n, n);
    for (let k = 0; k < n * n; k++) {
      const share = Math.max(-1, Math.min(1, values[k] / limit)), end = share < 0 ? negative : positive;
      for (let c = 0; c < 3; c++) picture.data[4 * k + c] = middle[c] + Math.abs(share) * (end[c] - middle[c]);
      picture.data[4 * k + 3] = 255;
    }
    pen.putImageData(picture, 0, 0);
    return patch;
  }

  function draw(scene, frame) {
    const size = face.begin();
    if (!size) return;
    const { pen } = face, colours = face.colours(), n = scene.fit.grid;
    const output = Float32Array.from(frame.arrays["fit.output"], (v) => v * frame.fit.output_scale);
    const target = Float32Array.from(frame.arrays["fit.target"], (v) => v * frame.fit.target_scale);
    const error = output.map((v, k) => v - target[k]);
    const limit = target.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-6), gap = 6;
    const side = Math.min(size.h - 4, (0.64 * size.w - 3 * gap) / 3);
    pen.imageSmoothingEnabled = true;
    [target, output, error].forEach((values, i) => {
      pen.drawImage(paint(values, n, limit, scene.colours), i * (side + gap), (size.h - side) / 2, side, side);
    });
    const left = 3 * (side + gap) + 4, right = size.w - 2;
    const y = (v) => size.h / 2 - v / (1.15 * limit) * (size.h / 2 - 3);
    const curve = (values, width, colour) => {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.beginPath();
      // x₁ = x₂ runs from the bottom left to the top right
      for (let k = 0; k < n; k++) pen.lineTo(left + k / (n - 1) * (right - left), y(values[(n - 1 - k) * n + k]));
      pen.stroke();
    };
    pen.strokeStyle = colours.faint;
    pen.lineWidth = 0.5;
    pen.strokeRect(left, 2, right - left, size.h - 4);
    curve(target, 5, colours.faint);
    curve(output, 2, scene.colours.positive);
  }
  return { draw, every: 4, stop: face.stop };
}
