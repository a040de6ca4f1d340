// The fit: target, output and error over a square, with the data where there are some; or a curve; or a table of classes.

// Paints values (height × width, from the top left) in the colours of the sign, from -limit to limit, one pixel each.
export function paintPatch(patch, values, width, height, limit, colours) {
  const hex = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  const [negative, middle, positive] = [colours.negative, colours.middle, colours.positive].map(hex);
  patch.width = width;
  patch.height = height;
  const pen = patch.getContext("2d"), picture = pen.createImageData(width, height);
  for (let k = 0; k < width * height; k++) {
    const share = Math.max(-1, Math.min(1, values[k] / limit)), end = share < 0 ? negative : positive;
    for (let c = 0; c < 3; c++) picture.data[4 * k + c] = middle[c] + Math.abs(share) * (end[c] - middle[c]);
    picture.data[4 * k + 3] = 255;
  }
  pen.putImageData(picture, 0, 0);
  return patch;
}

export function makeFit(parent) {
  const face = makeCanvas(parent, "fit");
  const patch = document.createElement("canvas");
  const numbers = (frame, name) => Float32Array.from(frame.arrays[`fit.${name}`], (v) => v * frame.fit[`${name}_scale`]);
  const largest = (values) => values.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-6);
  const label = (pen, text, x, y, align = "center") => { pen.textAlign = align; pen.textBaseline = "middle"; pen.fillText(text, x, y); };

  // The known target: three squares, and both as curves along the diagonal.
  function drawSquares(pen, size, colours, scene, frame) {
    const n = scene.fit.grid, output = numbers(frame, "output"), target = numbers(frame, "target");
    const error = output.map((v, k) => v - target[k]), limit = largest(target), gap = 6;
    const side = Math.min(size.h - 4, (0.64 * size.w - 3 * gap) / 3);
    pen.imageSmoothingEnabled = true;
    [target, output, error].forEach((values, i) => {
      pen.drawImage(paintPatch(patch, values, n, n, limit, scene.colours), i * (side + gap), (size.h - side) / 2, side, side);
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
    face.setCaption("target, output, error over the square; along its diagonal");
  }

  // The user's data over two inputs: the output, and the data in the same colours.
  function drawSection(pen, size, colours, scene, frame) {
    const n = scene.fit.grid, output = numbers(frame, "output"), dots = scene.arrays["fit.dots"];
    let limit = 1e-6;
    for (let k = 2; k < dots.length; k += 3) limit = Math.max(limit, Math.abs(dots[k]));
    const wide = size.w - 66, high = size.h - 18, left = 58, top = 2; // the two inputs have units of their own: no need for a square
    pen.imageSmoothingEnabled = true;
    pen.drawImage(paintPatch(patch, output, n, n, limit, scene.colours), left, top, wide, high);
    const [negative, positive] = [scene.colours.negative, scene.colours.positive];
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 0.8;
    for (let k = 0; k < dots.length; k += 3) {
      pen.fillStyle = dots[k + 2] < 0 ? negative : positive;
      pen.globalAlpha = 0.3 + 0.7 * Math.min(1, Math.abs(dots[k + 2]) / limit);
      pen.beginPath();
      pen.arc(left + (dots[k] + 1) / 2 * wide, top + (1 - dots[k + 1]) / 2 * high, 3, 0, 2 * Math.PI);
      pen.fill();
      pen.globalAlpha = 1;
      pen.stroke();
    }
    const { axes, ranges } = scene.fit, short = (v) => String(+v.toPrecision(3));
    pen.fillStyle = colours.ink;
    pen.font = "11px system-ui, sans-serif";
    label(pen, short(ranges[0][0]), left, top + high + 9, "left");
    label(pen, axes[0], left + wide / 2, top + high + 9);
    label(pen, short(ranges[0][1]), left + wide, top + high + 9, "right");
    label(pen, short(ranges[1][1]), left - 4, top + 6, "right");
    label(pen, axes[1].slice(0, 9), left - 4, top + high / 2, "right");
    label(pen, short(ranges[1][0]), left - 4, top + high - 6, "right");
    face.setCaption(`output (colour) and data (dots) over ${axes[0]} and ${axes[1]}`);
  }

  function drawLine(pen, size, colours, scene, frame) {
    const output = numbers(frame, "output"), dots = scene.arrays["fit.dots"], left = 8, right = size.w - 8, bottom = size.h - 16;
    let limit = largest(output.map((v) => Math.max(-2, Math.min(2, v))));
    for (let k = 1; k < dots.length; k += 3) limit = Math.max(limit, Math.abs(dots[k]));
    const x = (v) => left + (v + 1) / 2 * (right - left), y = (v) => bottom / 2 - v / (1.1 * limit) * (bottom / 2 - 2);
    pen.fillStyle = colours.faint;
    for (let k = 0; k < dots.length; k += 3) { pen.beginPath(); pen.arc(x(dots[k]), y(dots[k + 1]), 3, 0, 2 * Math.PI); pen.fill(); }
    pen.strokeStyle = scene.colours.positive;
    pen.lineWidth = 2.5;
    pen.beginPath();
    output.forEach((v, k) => pen.lineTo(x(-1 + 2 * k / (output.length - 1)), y(v)));
    pen.stroke();
    const { axes, ranges } = scene.fit;
    pen.fillStyle = colours.ink;
    pen.font = "11px system-ui, sans-serif";
    label(pen, String(+ranges[0][0].toPrecision(3)), left, size.h - 7, "left");
    label(pen, axes[0], size.w / 2, size.h - 7);
    label(pen, String(+ranges[0][1].toPrecision(3)), right, size.h - 7, "right");
    face.setCaption(`output (line) and data (dots) over ${axes[0]}`);
  }

  // How often a class (row) was taken for another (column), and a few images with the answers.
  function drawTable(pen, size, colours, scene, frame) {
    const { outputs, image } = scene.fit, n = outputs.length, counts = frame.arrays["fit.counts"];
    const cell = Math.min((size.h - 14) / n, (image ? 0.5 : 0.9) * size.w / n), left = 16, top = 12;
    pen.font = `${Math.max(8, Math.min(11, cell))}px system-ui, sans-serif`;
    for (let i = 0; i < n; i++) {
      const total = counts.slice(i * n, i * n + n).reduce((a, b) => a + b, 0);
      for (let j = 0; j < n; j++) {
        pen.globalAlpha = total ? 0.06 + 0.94 * counts[i * n + j] / total : 0.06;
        pen.fillStyle = i === j ? colours.ink : scene.colours.positive;
        pen.fillRect(left + j * cell, top + i * cell, cell - 1, cell - 1);
      }
      pen.globalAlpha = 1;
      pen.fillStyle = colours.ink;
      if (cell > 8) {
        label(pen, outputs[i].slice(0, 3), left - 6, top + (i + 0.5) * cell);
        label(pen, outputs[i].slice(0, 3), left + (i + 0.5) * cell, top - 6);
      }
    }
    face.setCaption("class (row) and answer (column)" + (image ? "; images with the answer" : ""));
    if (!image) return;
    const samples = scene.arrays["fit.samples"], answers = frame.arrays["fit.answers"], many = answers.length / 2, [h, w] = image;
    const from = left + n * cell + 14, lines = Math.max(1, Math.floor(size.h / 48)), side = Math.min(48, size.h / lines - 17);
    const across = Math.floor((size.w - from) / (side + 4));
    if (side < 8 || across < 1) return;
    pen.font = "bold 12px system-ui, sans-serif";
    pen.imageSmoothingEnabled = false;
    for (let k = 0; k < Math.min(many, lines * across); k++) {
      const x = from + (k % across) * (side + 4), y = Math.floor(k / across) * (side + 17), right = answers[k] === answers[many + k];
      const pixels = samples.slice(k * h * w, (k + 1) * h * w);
      const grey = { negative: "#ffffff", middle: "#ffffff", positive: "#202020" };
      pen.drawImage(paintPatch(patch, pixels, w, h, 32767, grey), x, y, side, side);
      pen.fillStyle = right ? colours.ink : scene.colours.positive;
      label(pen, outputs[answers[k]] + (right ? "" : " ✗"), x + side / 2, y + side + 7);
    }
  }

  function draw(scene, frame) {
    const size = face.begin();
    if (!size) return;
    const { pen } = face, colours = face.colours(), { kind } = scene.fit;
    const how = kind === "table" ? drawTable : kind === "line" ? drawLine : frame.arrays["fit.target"] ? drawSquares : drawSection;
    how(pen, size, colours, scene, frame);
  }
  return { draw, every: 4, stop: face.stop };
}
