// The frame of a widget: its root with an alarm and a line for screen readers, buttons, and controls that a hand moves while the
// kernel tells where they stand.

export function makePanel(el, name, label) {
  const make = (tag, kind, more = {}, ...children) => { const made = Object.assign(document.createElement(tag), { className: kind ? `sl-${kind}` : "", ...more }); made.append(...children); return made; };
  const written = (element, text, where = "textContent") => { if (element[where] !== text) element[where] = text; };
  const root = make("div", `root sl-${name}`), transport = make("div", "transport"), alarm = make("div", "alarm"), spoken = make("div", "spoken");
  const typed = new Set(), controls = {}, own = Math.random().toString(36).slice(2);
  let clock = null, later = 0;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", label);
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's command keys must not act on the cell while a control has the focus
  root.addEventListener("keydown", (event) => event.stopPropagation()); // nor Notebook 7's
  alarm.setAttribute("role", "alert");
  spoken.setAttribute("role", "status");
  root.append(transport, alarm, spoken);
  el.classList.add("sl-host");
  el.replaceChildren(root);

  function button(action, text, title, parent = transport, more = "") {
    const made = make("button", `button ${more}`, { type: "button", textContent: text, title });
    made.dataset.action = action;
    made.addEventListener("click", () => clock.press(made.dataset.action));
    parent.append(made);
    return made;
  }
  function framed(setting, text, title, parts, parent) {
    const id = `sl-${own}-${setting}`;
    parts[0].id = id;
    parent.append(make("div", "control", {}, make("label", "", { htmlFor: id, textContent: text, title }), ...parts));
  }
  // A slider with a field for exact values; `from` and `to` turn a value into a place on the slider and back, `show` and `read` into
  // text and back.
  function number(setting, text, title, range, { from = (v) => v, to = (p) => +p, show = String, read = numeric, parent = transport } = {}) {
    const slider = range && make("input", "", { type: "range", title, ...range }), field = make("input", "field", { type: "text", inputMode: "decimal", title });
    field.setAttribute("aria-label", `${title}, exact value`);
    field.dataset.field = setting;
    field.addEventListener("input", () => typed.add(setting));
    field.addEventListener("change", () => { typed.delete(setting); clock.move(setting, read(field.value)); });
    field.addEventListener("blur", () => { typed.delete(setting); clock.repaint(); });
    if (slider) {
      slider.dataset.setting = setting;
      slider.addEventListener("input", () => { field.value = show(to(slider.value)); clock.move(setting, to(slider.value)); });
    }
    framed(setting, text, title, slider ? [slider, field] : [field], parent);
    controls[setting] = (value) => {
      if (typed.has(setting)) return;
      written(field, show(value), "value");
      if (!slider) return;
      slider.value = from(value);
      slider.setAttribute("aria-valuetext", show(value)); // its own is a place from left to right
    };
    return { slider, field };
  }
  function choice(setting, text, title, parent = transport) {
    const select = make("select", "", { title });
    let offered = [];
    select.dataset.setting = setting;
    select.addEventListener("change", () => clock.move(setting, offered[select.selectedIndex][0])); // not its text: 0.05 is a number
    framed(setting, text, title, [select], parent);
    controls[setting] = (value, options) => {
      if (String(offered) !== String(options)) select.replaceChildren(...options.map(([v, words]) => make("option", "", { value: v, textContent: words })));
      offered = options;
      select.value = value;
    };
    return select;
  }
  return {
    root, transport, alarm, make, written, button, number, choice,
    drivenBy(made) { clock = made; },
    // Where the controls stand, unless the hand is ahead of what the kernel has told.
    follow(values, choices = {}) { for (const [setting, put] of Object.entries(controls)) if (!clock.ahead(setting)) put(values[setting], choices[setting]); },
    say(message, offline) { written(alarm, offline ? "The kernel is not connected, or busy. If it was restarted, run the cell again." : message); },
    // A line that is read aloud must not chatter while a hand drags.
    tell(words) { clearTimeout(later); later = setTimeout(() => written(spoken, words), 300); },
  };
}

// What was typed as a number; other words go to the kernel, which says what is wrong with them.
export const numeric = (text) => (text.trim() === "" || Number.isNaN(+text) ? text : +text);

// A slider for the strength of a penalty: an exact 0 at its left end, then twenty places a decade from 1e-6 to 1; the field has
// room for 0.05, but not for 0.000014.
export const POWERS = {
  range: { min: 0, max: 121, step: 1 },
  from: (v) => (v > 0 ? 1 + 20 * (Math.log10(v) + 6) : 0),
  to: (p) => (+p === 0 ? 0 : +(10 ** ((p - 1) / 20 - 6)).toPrecision(2)),
  show: (v) => (v === 0 || Math.abs(v) >= 0.01 ? String(v) : (+v.toPrecision(3)).toExponential()),
};

// Bytes of an image (h, w, 1 or 3) in base64 onto a small canvas.
export function paintImage(canvas, bytes, [h, w, channels]) {
  const found = atob(bytes), pen = canvas.getContext("2d"), image = pen.createImageData(w, h);
  for (let k = 0; k < h * w; k++) {
    for (let c = 0; c < 3; c++) image.data[4 * k + c] = found.charCodeAt(channels * k + (channels === 3 ? c : 0));
    image.data[4 * k + 3] = 255;
  }
  Object.assign(canvas, { width: w, height: h });
  pen.putImageData(image, 0, 0);
}

// Axes of a plot with equal steps: lines across with their numbers, and a word or two below.
export function drawAxes(face, size, { left, right, top, bottom, y, ticks, format = String, below = ["", ""] }) {
  const { pen } = face, { ink, faint } = face.colours();
  pen.font = "14px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  pen.lineWidth = 1;
  pen.fillStyle = ink;
  pen.strokeStyle = faint;
  for (const tick of ticks) {
    pen.globalAlpha = 0.5;
    pen.beginPath(); pen.moveTo(left, y(tick)); pen.lineTo(right, y(tick)); pen.stroke();
    pen.globalAlpha = 1;
    pen.fillText(format(tick), left - 10, y(tick));
  }
  pen.textBaseline = "alphabetic";
  pen.fillText(below[1], right, size.h - 5);
  pen.textAlign = "left";
  pen.fillText(below[0], left, size.h - 5);
}
