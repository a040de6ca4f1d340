// A canvas that follows the size of its box and the theme's colours; the views below draw on it.

export function makeCanvas(parent, label) {
  const box = document.createElement("figure");
  box.className = "sl-picture";
  const caption = document.createElement("figcaption");
  caption.textContent = label;
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  box.append(caption, canvas);
  parent.append(box);
  const pen = canvas.getContext("2d");
  let w = 0, h = 0; // asking the canvas at each picture would make the browser lay the page out each time
  const measure = () => { w = canvas.clientWidth; h = canvas.clientHeight; };
  const resized = new ResizeObserver(measure);
  resized.observe(canvas);
  let colours = null;
  let coloursRead = -1e9;
  return {
    canvas,
    pen,
    setCaption(text) { if (caption.textContent !== text) caption.textContent = text; },
    stop: () => resized.disconnect(),
    // The theme may change at any time; reading it costs a style computation, so twice a second is enough.
    colours() {
      if (performance.now() - coloursRead > 500) {
        const style = getComputedStyle(canvas);
        const read = (name) => style.getPropertyValue(name).trim();
        colours = { ink: read("--sl-ink"), faint: read("--sl-faint"), paper: read("--sl-paper") };
        coloursRead = performance.now();
      }
      return colours;
    },
    // Clears the canvas and returns its size in CSS pixels, or null while it has none.
    begin() {
      if (!w || !h) measure();
      if (!w || !h) return null;
      const dpr = Math.min(globalThis.devicePixelRatio || 1, 2);
      if (canvas.width !== Math.round(w * dpr) || canvas.height !== Math.round(h * dpr)) {
        canvas.width = Math.round(w * dpr);
        canvas.height = Math.round(h * dpr);
      }
      pen.setTransform(dpr, 0, 0, dpr, 0, 0);
      pen.clearRect(0, 0, w, h);
      return { w, h };
    },
  };
}

// A short piece of a line as it is drawn, for the button that chooses it.
export function makeSwatch(tint, dash = []) {
  const swatch = Object.assign(document.createElement("canvas"), { className: "sl-swatch", width: 52, height: 24 }), pen = swatch.getContext("2d");
  pen.strokeStyle = tint;
  pen.lineWidth = 5;
  pen.setLineDash(dash.map((v) => 2 * v));
  pen.beginPath(); pen.moveTo(0, 12); pen.lineTo(52, 12); pen.stroke();
  return swatch;
}

// A logarithmic axis from 10^low to 10^high, bottom to top of a plot; values below it stand on the bottom line.
export function logScale(low, high, top, bottom) {
  return (value) => bottom - (Math.min(Math.max(Math.log10(Math.max(value, 1e-300)), low), high) - low) / (high - low) * (bottom - top);
}

export function powerOfTen(exponent) {
  const raised = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  return "10" + [...String(exponent)].map((c) => raised[c]).join("");
}

// Grid lines and labels of a logarithmic axis.
export function drawLogAxis(pen, colours, y, low, high, left, right, every = 1) {
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  pen.lineWidth = 1;
  for (let e = Math.ceil(low); e <= high; e += every) {
    const at = y(10 ** e);
    pen.globalAlpha = 0.25;
    pen.strokeStyle = colours.faint;
    pen.beginPath();
    pen.moveTo(left, at);
    pen.lineTo(right, at);
    pen.stroke();
    pen.globalAlpha = 1;
    pen.fillStyle = colours.ink;
    pen.fillText(powerOfTen(e), left - 4, at);
  }
}
