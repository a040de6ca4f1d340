// Matrices as grids of coloured cells, and what all parts of the instrument write with.

const LOWER = "₀₁₂₃₄₅₆₇₈₉";

export const html = (tag, props = {}, ...children) => { const made = Object.assign(document.createElement(tag), props); made.append(...children); return made; };
export const svg = (tag, attributes = {}, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};
export const setAll = (element, attributes) => { for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value); };
export const written = (element, text) => { if (element.textContent !== text) element.textContent = text; };
export const number = (value, digits = 2) => (+value.toFixed(digits) || 0).toFixed(digits).replace("-", "−");
export const lower = (k) => [...String(k)].map((digit) => LOWER[digit]).join("");
export const rounded = (value, limit) => Math.round(Math.min(limit, Math.max(-limit, value)) * 100) / 100 || 0;

// A sign's colour as strong as its share, on the paper: readable behind black and behind white letters.
export function tint(value, share, colours) {
  if (value === 0) return "var(--sl-paper)";
  return `color-mix(in srgb, ${value > 0 ? colours.positive : colours.negative} ${Math.round(8 + 54 * Math.min(1, share))}%, var(--sl-paper))`;
}

// A matrix as a grid of coloured cells.  `say(i, j)` is what a cell tells the hand that points at it.
export function makeGrid(parent, name, title, say, { cell, letters = 0, split = null, heads = null }) {
  const box = html("figure", { className: `sl-grid sl-grid-${name}` }), cells = [], grid = html("div", { className: "sl-cells" }), marks = [];
  box.append(html("figcaption", { textContent: title }), grid);
  grid.setAttribute("role", "img");
  parent.append(box);
  const offset = heads ? 2 : 1; // CSS counts from 1; the first row and column may hold eigenvalues
  const place = (i, j, rows = 1, columns = 1) => `${i + offset} / ${j + offset} / span ${rows} / span ${columns}`;
  const heading = heads && { top: [], side: [] };

  function build(values) {
    const [rows, columns] = [values.length, values[0].length], size = cell(rows, columns);
    grid.replaceChildren();
    cells.length = marks.length = 0;
    grid.style.gridTemplateColumns = `${heads ? "44px " : ""}repeat(${columns}, ${size}px)`;
    grid.style.gridTemplateRows = `${heads ? "20px " : ""}repeat(${rows}, ${letters ? Math.min(size, 36) : size}px)`;
    grid.style.fontSize = `${size >= 40 ? 14 : 10.5}px`;
    for (let i = 0; i < rows; i++) cells.push([...Array(columns).keys()].map((j) => {
      const made = html("div", { className: "sl-cell", onpointerenter: () => parent.say(say(i, j)), onpointerleave: () => parent.say("") });
      made.style.gridArea = place(i, j);
      if (split && i === split() - 1) made.classList.add("sl-below");
      if (split && j === split() - 1) made.classList.add("sl-right");
      grid.append(made);
      return made;
    }));
    if (!heads) return;
    for (const side of ["top", "side"]) heading[side] = [...Array(side === "top" ? columns : rows).keys()].map((k) => {
      const made = html("div", { className: "sl-heading-cell" });
      made.style.gridArea = side === "top" ? `1 / ${k + 2}` : `${k + 2} / 1`;
      grid.append(made);
      return made;
    });
  }

  return {
    box,
    draw(values, scale, colours, outlines) {
      if (cells.length !== values.length || cells[0].length !== values[0].length) build(values);
      values.forEach((row, i) => row.forEach((value, j) => {
        const made = cells[i][j];
        made.dataset.value = value;
        made.style.background = tint(value, Math.abs(value) / scale, colours);
        const size = cell(values.length, row.length);
        if (letters && size >= letters) written(made, number(value, size >= 36 ? 2 : 1));
      }));
      if (heads) for (const [side, k] of [["top", 0], ["side", 1]]) heads()[k].forEach((value, n) => written(heading[side][n], number(value, values[0].length > 5 ? 1 : 2)));
      while (marks.length < outlines.length) { const mark = html("div", { className: "sl-mark" }); marks.push(mark); grid.append(mark); }
      marks.forEach((mark, n) => { mark.hidden = n >= outlines.length; if (!mark.hidden) mark.style.gridArea = place(...outlines[n]); });
      const text = `${title}: ${values.map((row) => row.map((value) => number(value)).join(" ")).join("; ")}`;
      if (grid.getAttribute("aria-label") !== text) grid.setAttribute("aria-label", text);
    },
  };
}
