// The browser's half of the race: curves, table and controls.  A row is
// [step, accuracies…, weights that came back…, weights that fell silent…], one number a lane.

function makeTrack(model, el) {
  let picture = null, rows = [], pictures = 0, dark = false;
  const panel = makePanel(el, "race", "race of training methods"), { root, make, written } = panel;
  const clock = makeClock(model, root, draw);
  panel.drivenBy(clock);

  // -- the controls --------------------------------------------------------------------------------------------------
  const settings = make("div", "settings"), middle = make("div", "middle"), table = make("div", "table");
  panel.alarm.after(settings, middle, table);
  const start = panel.button("start", "▶ Start", "train, or pause", undefined, "sl-train");
  panel.button("reset", "⟲ Reset", "the same race from its start");
  const modes = {
    dense: panel.button("dense", "all weights", "no weight is silent", undefined, "sl-mode"),
    sparse: panel.button("sparse", "most weights silent", "after each step the smallest weights are silent, as many as the sparsity says", undefined, "sl-mode"),
  };
  const group = (text) => { const made = make("fieldset", "", {}, make("legend", "", { textContent: text })); settings.append(made); return made; };
  const network = group("the network 64 – N₂ – 10");
  panel.number("hidden", "N₂", "nodes of the hidden layer", { min: 4, max: 400, step: 4 }, { parent: network });
  const onlySparse = panel.number("sparsity", "sparsity", "share of the weights that are silent", { min: 0, max: 0.99, step: 0.01 }, { parent: network }).field.parentElement;
  const onlyQR = panel.number("p", "p (S-QR)", "share of the entries above R's diagonal that are trained", { min: 0, max: 1, step: 0.01 }, { parent: network }).field.parentElement;
  panel.number("seed", "seed", "seed of the start and of the order of the images", null);
  const who = group("who runs"), checks = {};
  const drawer = make("details", "", {}, make("summary", "", { textContent: "Advanced: learning rates" })), rates = {};
  settings.append(drawer);

  function makeMethods() {
    for (const [name, label] of picture.methods) {
      const box = make("label", "check"), check = make("input", "", { type: "checkbox" }), swatch = make("canvas", "swatch", { width: 44, height: 24 });
      check.dataset.method = name;
      check.addEventListener("change", () => clock.move("methods", Object.keys(checks).filter((m) => checks[m].check.checked)));
      box.append(check, swatch, label);
      who.append(box);
      checks[name] = { check, swatch };
      const row = make("label", "rate", { textContent: label }), field = make("input", "field", { type: "text", inputMode: "decimal" });
      field.dataset.lr = name;
      field.addEventListener("change", () => clock.move("lr", { ...(clock.waiting("lr") || {}), [name]: numeric(field.value) }));
      row.append(field);
      drawer.append(row);
      rates[name] = field;
    }
  }

  // -- drawing -------------------------------------------------------------------------------------------------------
  const curves = makeCanvas(middle, "accuracy on images that none of them trains on"), returns = makeCanvas(middle, "weights that come back, each step");
  // Of the theme's ink for direct training; the others a little lighter on black.
  const colour = (name, hex, ink) => (name === "direct" ? ink : dark ? lighter(hex) : hex);
  const DASHES = { direct: [], spectral: [7, 3], s_svd: [2, 3], s_qr: [], original: [9, 3, 2, 3] };

  function marker(pen, name, x, y, r) {
    pen.beginPath();
    if (name === "direct") { pen.moveTo(x, y - r); pen.lineTo(x + r, y); pen.lineTo(x, y + r); pen.lineTo(x - r, y); }
    else if (name === "s_svd") { pen.moveTo(x, y - r); pen.lineTo(x + r, y + 0.8 * r); pen.lineTo(x - r, y + 0.8 * r); }
    else if (name === "s_qr") pen.rect(x - 0.8 * r, y - 0.8 * r, 1.6 * r, 1.6 * r);
    else if (name === "original") { pen.moveTo(x, y + r); pen.lineTo(x + r, y - 0.8 * r); pen.lineTo(x - r, y - 0.8 * r); }
    else pen.arc(x, y, 0.9 * r, 0, 2 * Math.PI);
    pen.fill();
  }

  function drawLines(canvas, value, low, high, ticks, format) {
    const size = canvas.begin();
    if (!size) return;
    const { pen } = canvas, { ink } = canvas.colours(), left = 48, right = size.w - 12, top = 8, bottom = size.h - 22;
    const x = (step) => left + step / picture.end * (right - left), y = (v) => bottom - (v - low) / (high - low || 1) * (bottom - top);
    const step = rows.length ? rows[rows.length - 1][0] : 0, below = ["0", `step ${step.toLocaleString("en")} of ${picture.end.toLocaleString("en")}`];
    drawAxes(canvas, size, { left, right, top, bottom, y, ticks, format, below });
    pen.save();
    pen.beginPath(); pen.rect(left, top - 6, right - left + 8, bottom - top + 12); pen.clip();
    picture.lanes.forEach(({ name, colour: hex }, k) => {
      pen.strokeStyle = pen.fillStyle = colour(name, hex, ink);
      pen.lineWidth = 2.2;
      pen.setLineDash(DASHES[name]);
      pen.beginPath();
      for (const row of rows) pen.lineTo(x(row[0]), y(value(row, k)));
      pen.stroke();
      pen.setLineDash([]);
      const last = rows[rows.length - 1];
      if (last) marker(pen, name, x(last[0]), y(value(last, k)), 6);
    });
    pen.restore();
  }

  function drawTable() {
    const { ink } = curves.colours(), n = picture.lanes.length, last = rows[rows.length - 1];
    const most = Math.max(...picture.lanes.map((lane) => lane.trained)), body = make("tbody"), head = make("tr");
    for (const text of ["", "numbers that are trained", ...(picture.sparse ? ["came back"] : []), "accuracy"]) head.append(make("th", "", { textContent: text, scope: "col" }));
    head.children[1].style.textAlign = "left";
    picture.lanes.forEach(({ name, label, colour: hex, trained, back }, k) => {
      const row = make("tr"), bar = make("td", "bar"), box = make("span"), tint = colour(name, hex, ink);
      row.dataset.lane = name;
      box.style.width = `${Math.max(0.5, 70 * trained / most)}%`;
      box.style.background = tint;
      bar.append(box, trained.toLocaleString("en"));
      row.append(make("td", "", { textContent: label }), bar);
      if (picture.sparse) row.append(make("td", "back", { textContent: back.toLocaleString("en") }));
      row.append(make("td", "now", { textContent: last ? last[1 + k].toFixed(3) : "" }));
      body.append(row);
    });
    const made = make("table");
    made.append(head, body);
    table.replaceChildren(made);
  }

  function drawControls() {
    if (!Object.keys(checks).length) makeMethods();
    const { ink } = curves.colours();
    written(start, picture.playing ? "❚❚ Pause" : rows.length && rows[rows.length - 1][0] >= picture.end ? "▶ Go on" : "▶ Start");
    start.dataset.action = picture.playing ? "pause" : "start";
    for (const [name, made] of Object.entries(modes)) made.setAttribute("aria-pressed", String((name === "sparse") === picture.sparse));
    onlySparse.hidden = !picture.sparse;
    onlyQR.hidden = !picture.lanes.some((lane) => lane.name === "s_qr");
    panel.follow(picture.values);
    for (const [name, , hex, on] of picture.methods) {
      const { check, swatch } = checks[name], pen = swatch.getContext("2d");
      if (!clock.ahead("methods")) check.checked = on;
      pen.clearRect(0, 0, 44, 24);
      pen.strokeStyle = pen.fillStyle = colour(name, hex, ink);
      pen.lineWidth = 4;
      pen.setLineDash(DASHES[name].map((v) => 2 * v));
      pen.beginPath(); pen.moveTo(0, 12); pen.lineTo(44, 12); pen.stroke();
      pen.setLineDash([]);
      marker(pen, name, 22, 12, 9);
      if (!clock.ahead("lr") && document.activeElement !== rates[name]) rates[name].value = String(picture.lr[name]);
    }
  }

  function draw(shown, collected, offline) {
    [picture, rows] = [shown, collected];
    dark = isDark(curves.colours().paper);
    const n = picture.lanes.length, last = rows[rows.length - 1], least = last ? Math.min(...last.slice(1, 1 + n)) : 0;
    const low = least > 0.88 ? 0.8 : least > 0.65 ? 0.5 : 0, ticks = low === 0.8 ? [0.8, 0.85, 0.9, 0.95, 1] : low === 0.5 ? [0.5, 0.6, 0.7, 0.8, 0.9, 1] : [0, 0.2, 0.4, 0.6, 0.8, 1];
    drawControls();
    drawLines(curves, (row, k) => row[1 + k], low, 1, ticks, (v) => v.toFixed(low === 0.8 ? 2 : 1));
    returns.canvas.parentElement.hidden = !picture.sparse;
    if (picture.sparse) {
      const back = (row, k) => row[1 + n + k] / picture.every, most = Math.max(1, ...rows.flatMap((row) => row.slice(1 + n, 1 + 2 * n))) / picture.every;
      const high = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500].find((v) => v >= most) || most;
      drawLines(returns, back, 0, high, [0, high / 2, high], String);
    }
    drawTable();
    panel.say(picture.message, offline);
    if (!picture.playing) panel.tell(picture.words);
    pictures++;
    Object.assign(root.dataset, { pictures, step: last ? last[0] : 0, playing: picture.playing, build: picture.build }); // for whoever watches from outside
  }

  return () => {
    clock.stop();
    curves.stop();
    returns.stop();
  };
}

export default { render: ({ model, el }) => makeTrack(model, el) };
