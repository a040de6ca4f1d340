// The controls, built from the list that Python sends.  A control tells `move(name, value)` what the hand did, and
// follows the kernel's value unless a move of its own is still under way.

export function makeControls(settings, transport, heading, hand, words) {
  const move = (name, value) => { if (!locked.has(name)) hand.move(name, value); };
  let made = null, follow = [], locked = new Set();

  const element = (tag, props = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), props);
    made.append(...children);
    return made;
  };
  const readable = (v) => (v === 0 ? "0" : Math.abs(v) >= 0.01 && Math.abs(v) < 1e4 ? String(+v.toPrecision(3)) : v.toExponential(0 + (String(+v.toPrecision(2)).replace(/[^1-9]/g, "").length > 1)));
  let serial = 0;
  const uid = Math.random().toString(36).slice(2, 8);
  const labelled = (control, input, ...more) => {
    input.id = `sl-${uid}-${serial++}`;
    input.title = control.help;
    input.dataset.setting = control.name;
    const label = element("label", { textContent: control.label, htmlFor: input.id, title: control.help });
    return element("div", { className: `sl-control sl-${control.kind}` }, label, input, ...more);
  };
  const disable = (box, off) => { for (const part of box.querySelectorAll("input, select, button")) part.disabled = off; return box; };

  // A slider with a field beside it that takes exact values; positions are 0 … 1000 on a logarithmic one.
  function slider(control) {
    const log = control.kind === "log", floor = control.zero ? 1 : 0;
    const lo = Math.log10(control.low), hi = Math.log10(control.high);
    const toValue = (p) => {
      if (!log) return +p;
      if (control.zero && +p === 0) return 0;
      return +(10 ** (lo + (p - floor) / (1000 - floor) * (hi - lo))).toPrecision(3);
    };
    const toPosition = (v) => (!log ? v : control.zero && v <= 0 ? 0 : Math.max(floor, Math.min(1000, floor + (Math.log10(v) - lo) / (hi - lo) * (1000 - floor))));
    const range = element("input", { type: "range", min: log ? 0 : control.low, max: log ? 1000 : control.high, step: log ? 1 : control.step });
    const field = element("input", { type: "text", inputMode: "decimal", className: "sl-field", title: "type an exact value" });
    field.setAttribute("aria-label", `${control.label}, exact value`);
    field.dataset.field = control.name;
    const show = (v) => { if (document.activeElement !== field) field.value = readable(v); range.setAttribute("aria-valuetext", readable(v)); };
    range.addEventListener("input", () => { const v = toValue(range.value); show(v); move(control.name, v); });
    field.addEventListener("change", () => { const v = Number(field.value.replace(",", ".")); move(control.name, field.value.trim() === "" || Number.isNaN(v) ? field.value : v); });
    follow.push([control.name, (v) => { range.value = toPosition(v); show(v); }]);
    return labelled(control, range, field);
  }

  function choice(control) {
    const select = element("select", {}, ...control.options.map(([value, text]) => element("option", { value: String(value), textContent: text })));
    const values = Object.fromEntries(control.options.map(([value]) => [String(value), value]));
    select.addEventListener("change", () => move(control.name, values[select.value]));
    follow.push([control.name, (v) => { select.value = String(v); }]);
    return labelled(control, select);
  }

  function flag(control) {
    const box = element("input", { type: "checkbox" });
    box.addEventListener("change", () => move(control.name, box.checked));
    follow.push([control.name, (v) => { box.checked = v; }]);
    return labelled(control, box);
  }

  function whole(control) {
    const field = element("input", { type: "number", min: 0, step: 1, className: "sl-field" });
    field.addEventListener("change", () => move(control.name, field.value === "" ? "" : Number(field.value)));
    follow.push([control.name, (v) => { if (document.activeElement !== field) field.value = v; }]);
    return labelled(control, field);
  }

  // One field a hidden layer, and buttons that add and take away the last one.
  function layers(control) {
    const row = element("div", { className: "sl-widths", role: "group" });
    row.setAttribute("aria-label", control.label);
    let sizes = [];
    const send = (next) => move(control.name, next);
    const button = (text, title, next) => {
      const b = element("button", { type: "button", textContent: text, title });
      b.setAttribute("aria-label", title);
      b.addEventListener("click", () => { const n = next(); if (n) send(n); });
      return b;
    };
    const less = button("−", "one hidden layer less", () => sizes.length > 1 && sizes.slice(0, -1));
    const more = button("+", "one hidden layer more", () => sizes.length < control.most && [...sizes, sizes[sizes.length - 1]]);
    const build = () => {
      row.replaceChildren(less, ...sizes.map((n, i) => {
        const field = element("input", { type: "number", min: 1, max: control.high, step: 1, value: n, className: "sl-field", title: control.help });
        field.setAttribute("aria-label", `size of hidden layer ${i + 1}`);
        field.dataset.layer = i;
        field.addEventListener("change", () => send(sizes.map((m, j) => (j === i ? (field.value === "" ? "" : Number(field.value)) : m))));
        return field;
      }), more);
    };
    follow.push([control.name, (v) => { if (String(v) !== String(sizes) || !row.contains(document.activeElement)) { if (String(v) !== String(sizes) || !row.children.length || [...row.querySelectorAll("input")].some((f, i) => +f.value !== v[i])) { sizes = [...v]; build(); } } }]);
    const label = element("span", { className: "sl-label", textContent: control.label, title: control.help });
    return element("div", { className: "sl-control sl-layers" }, label, row);
  }

  // The two inputs that the fit is drawn over.
  function section(control) {
    const row = element("div", { className: "sl-widths", role: "group" });
    row.setAttribute("aria-label", control.label);
    const selects = [0, 1].map((axis) => {
      const select = element("select", {}, ...control.names.map((name, i) => element("option", { value: i, textContent: name })));
      select.setAttribute("aria-label", axis ? "vertical axis" : "horizontal axis");
      select.addEventListener("change", () => move(control.name, selects.map((s) => +s.value)));
      return select;
    });
    row.append(...selects);
    follow.push([control.name, (v) => selects.forEach((select, axis) => { select.value = v[axis]; })]);
    const label = element("span", { className: "sl-label", textContent: control.label, title: control.help });
    return element("div", { className: "sl-control sl-layers" }, label, row);
  }

  const KINDS = { section, linear: slider, log: slider, choice, flag, whole, layers };

  // A menu whose choice is something to do; it shows its own name again.
  function menu(name, text, options, act) {
    const select = element("select", { className: "sl-menu", title: text }, element("option", { value: "", textContent: text }),
      ...options.map(([value, label]) => element("option", { value, textContent: label })));
    select.setAttribute("aria-label", text);
    select.dataset.action = name;
    select.addEventListener("change", () => { if (select.value) act(select.value); select.value = ""; });
    return select;
  }

  function build(description) {
    follow = [];
    locked = new Set(description.lock);
    const hidden = new Set(description.hide);
    const [title, question] = heading.children;
    title.textContent = description.title;
    question.textContent = description.question;
    settings.replaceChildren(...description.groups.map((group) => {
      const box = element("fieldset", {}, element("legend", { textContent: group.title }));
      box.append(...group.controls.map((control) => disable(KINDS[control.kind](control), control.locked)));
      return box;
    }));
    const button = (name, text, title, act) => {
      const b = element("button", { type: "button", className: `sl-button sl-${name}`, textContent: text, title, disabled: locked.has(name) });
      b.dataset.action = name;
      b.addEventListener("click", act);
      return b;
    };
    const simply = (name) => () => { hand.gesture(); hand.act(name); };
    const train = button("train", "▶ Train", "train, or pause", () => hand.act(train.dataset.playing === "true" ? "pause" : "train"));
    const undo = button("undo", "↶", "undo the last move", simply("undo")), redo = button("redo", "↷", "redo what was undone", simply("redo"));
    undo.setAttribute("aria-label", "undo");
    redo.setAttribute("aria-label", "redo");
    follow.push(["playing", (v) => { train.textContent = v ? "❚❚ Pause" : "▶ Train"; train.dataset.playing = v; train.setAttribute("aria-pressed", v); }]);
    follow.push(["undo", (v) => { undo.disabled = !v || locked.has("undo"); }], ["redo", (v) => { redo.disabled = !v || locked.has("undo"); }]);
    const parts = [
      ["train", train], ["step", button("step", "Step", "one training step", simply("step"))], ["undo", undo], ["undo", redo],
      ["reset", button("reset", "↺ Reset", "a new network from the same seed", simply("reset"))],
      ["presets", menu("preset", "presets …", description.presets, (name) => { hand.gesture(); hand.act(["preset", name]); })],
      ...description.transport.map((control) => [control.name, disable(KINDS[control.kind](control), control.locked)]),
      ["real", button("real", "Make it real", "the pruned network, physically smaller, beside this one", simply("real"))],
      ["export", menu("export", "export …", description.exports, (kind) => hand.act(["export", kind]))],
    ];
    transport.replaceChildren(...parts.filter(([name]) => !hidden.has(name)).map(([, part]) => part));
    made = description;
  }

  // `busy(name)`: the hand moved this setting and the kernel has not answered yet.
  function draw(scene, frame, busy) {
    const description = made === scene.controls ? null : JSON.stringify(scene.controls);
    if (description && description === JSON.stringify(made)) made = scene.controls; // the same controls: a hand may be on them
    if (made !== scene.controls) {
      const focus = [settings, transport].find((part) => part.contains(document.activeElement)) && document.activeElement;
      const same = focus && (focus.dataset.setting ? `[data-setting="${focus.dataset.setting}"]` : focus.dataset.action && `[data-action="${focus.dataset.action}"]`);
      build(scene.controls);
      if (same) (settings.querySelector(same) || transport.querySelector(same))?.focus({ preventScroll: true });
    }
    const values = { ...frame.controls.values, undo: frame.controls.undo, redo: frame.controls.redo };
    for (const control of follow) {
      const [name, show, shown] = control, value = JSON.stringify(values[name]);
      if (busy(name)) control[2] = undefined; // the hand may leave it anywhere
      else if (value !== shown) { show(values[name]); control[2] = value; }
    }
    words(frame.words, frame.message, frame.playing);
  }
  return { draw, locked: (name) => locked.has(name) };
}
