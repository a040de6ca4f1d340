// The browser's half of the growing head.  A row is [step, accuracy, accuracy without the hidden layer, live neurons, loss, ρ].

function makeHead(model, el) {
  let pictures = 0, shown = null, dark = false;
  const panel = makePanel(el, "imagehead", "a head that grows on images"), { root, make, written } = panel;
  const clock = makeClock(model, root, draw, () => ({ shown }));
  panel.drivenBy(clock);

  // -- the controls --------------------------------------------------------------------------------------------------
  const start = panel.button("start", "▶ Start", "train, or pause", undefined, "sl-train");
  panel.button("step", "Step", "ten steps of training");
  panel.button("reset", "⟲ Reset", "the same head, untrained");
  const rho = panel.number("rho", "ρ", "strength of the penalty on the hidden eigenvalues, ρ Σ|λ|", POWERS.range, POWERS);
  rho.slider.classList.add("sl-long");
  panel.number("hidden", "hidden neurons", "hidden neurons at the start, all of them silent; a new run", { min: 2, max: 200, step: 2 });
  panel.choice("task", "task", "what is asked about the images; a new run");
  panel.choice("features", "the head sees", "the pixels, or what a small CNN makes of them; a new run");
  panel.number("seed", "seed", "of the start and of the order of the images", null);

  // -- the pictures --------------------------------------------------------------------------------------------------
  const board = make("div", "board"), left = make("section", "part"), right = make("section", "part");
  const counted = (name, words) => { const big = make("output", "big", { ariaLive: "off" }), small = make("span", "small", { textContent: words }), made = make("div", "count", {}, big, small); made.dataset.count = name; return { big, small, made }; };
  const live = counted("live", "hidden neurons live"), whole = counted("accuracy", "accuracy"), cut = counted("without", "without hidden layer");
  left.append(make("div", "counts", {}, live.made));
  right.append(make("div", "counts", {}, whole.made, cut.made));
  board.append(left, right);
  const spectrum = makeCanvas(left, "eigenvalues |λ| of the hidden neurons, the largest first; hollow: silent"), lives = makeCanvas(left, "live neurons");
  const accuracy = makeCanvas(right, "share of the validation images that are read rightly; dotted: ρ was moved");
  lives.canvas.parentElement.classList.add("sl-low");
  const heading = make("h3", ""), images = make("ul", "images");
  root.insertBefore(board, panel.alarm.nextSibling);
  root.insertBefore(make("section", "misread", {}, heading, images), board.nextSibling);
  const places = [];

  // -- drawing -------------------------------------------------------------------------------------------------------
  function drawSpectrum(picture, tint) {
    const size = spectrum.begin();
    if (!size) return;
    const { pen } = spectrum, { ink } = spectrum.colours(), left = 46, right = size.w - 8, top = 10, bottom = size.h - 12;
    const order = picture.eigenvalues.map((v, n) => [Math.abs(v), n]).sort((a, b) => b[0] - a[0] || a[1] - b[1]), most = Math.max(0.1, order[0][0]);
    const step = most > 1 ? Math.ceil(most / 2) : most > 0.4 ? 0.5 : 0.1, limit = Math.ceil(most / step) * step, y = (v) => bottom - v / limit * (bottom - top);
    drawAxes(spectrum, size, { left, right, top, bottom, y, ticks: Array.from({ length: Math.round(limit / step) + 1 }, (_, k) => k * step), format: (v) => v.toFixed(step < 1 ? 1 : 0) });
    const gap = (right - left) / order.length, wide = Math.max(1, 0.8 * gap);
    order.forEach(([size, n], k) => {
      const x = left + k * gap + 0.1 * gap, high = Math.max(2, bottom - y(size));
      if (picture.live[n]) { pen.fillStyle = tint; pen.fillRect(x, bottom - high, wide, high); }
      else { pen.strokeStyle = ink; pen.globalAlpha = 0.7; pen.lineWidth = 1; pen.strokeRect(x + 0.5, bottom - high - 1.5, Math.max(1, wide - 1), high + 1); pen.globalAlpha = 1; }
    });
    spectrum.canvas.setAttribute("aria-label", `eigenvalues of ${order.length} hidden neurons, the largest ${most.toPrecision(2)}`);
  }

  function drawLines(face, picture, rows, lines, ticks, high, low) {
    const size = face.begin();
    if (!size) return;
    const { pen } = face, { ink, paper } = face.colours(), left = 46, right = size.w - 14, top = 10, bottom = size.h - 24, last = rows[rows.length - 1];
    const x = (step) => left + step / picture.end * (right - left), y = (v) => bottom - (v - low) / (high - low) * (bottom - top);
    drawAxes(face, size, { left, right, top, bottom, y, ticks, format: (v) => (high > 1 ? String(v) : v.toFixed(2).replace(/0$/, "")), below: ["0", `step ${last[0].toLocaleString("en")} of ${picture.end.toLocaleString("en")}`] });
    rows.forEach((row, k) => { // where ρ was moved
      if (!k || row[5] === rows[k - 1][5]) return;
      pen.strokeStyle = pen.fillStyle = ink;
      pen.lineWidth = 1;
      pen.setLineDash([2, 3]);
      pen.beginPath(); pen.moveTo(x(row[0]), top); pen.lineTo(x(row[0]), bottom); pen.stroke();
      pen.setLineDash([]);
    });
    pen.save();
    pen.beginPath(); pen.rect(left, top - 2, right - left, bottom - top + 4); pen.clip(); // the first steps may lie below the axis
    for (const { column, tint, dash } of lines) {
      pen.strokeStyle = tint;
      pen.lineWidth = 3;
      pen.lineJoin = "round";
      pen.setLineDash(dash);
      pen.beginPath();
      for (const row of rows) pen.lineTo(x(row[0]), y(row[column]));
      pen.stroke();
      pen.setLineDash([]);
    }
    pen.restore();
    for (const { column, tint, mark } of lines) {
      const at = [x(last[0]), y(last[column])];
      pen.beginPath();
      if (mark === "◆") { pen.moveTo(at[0], at[1] - 7); pen.lineTo(at[0] + 7, at[1]); pen.lineTo(at[0], at[1] + 7); pen.lineTo(at[0] - 7, at[1]); pen.closePath(); }
      else pen.arc(...at, 8, 0, 2 * Math.PI);
      pen.fillStyle = tint;
      pen.fill();
      pen.lineWidth = 1.5;
      pen.strokeStyle = paper;
      pen.stroke();
    }
  }

  function drawMisread(picture) {
    const [count, of, step] = picture.misread, name = (k) => picture.classes[k] ?? String(k);
    written(heading, `step ${step.toLocaleString("en")}: ${count === 0 ? `none of ${of} validation images is misread` : `${count} of ${of} validation images are misread${count > picture.board.filter((one) => one && !one[3]).length ? "; some of them" : ""}`}`);
    if (shown === picture.version || !picture.images) return;
    ({ version: shown } = picture);
    while (places.length < picture.board.length) {
      const canvas = make("canvas", ""), said = make("span", "said"), is = make("span", "is"), place = make("li", "", {}, canvas, said, is);
      canvas.setAttribute("aria-hidden", "true");
      images.append(place);
      places.push({ place, canvas, said, is, row: null });
    }
    picture.board.forEach((mistake, k) => {
      const { place, canvas, said, is } = places[k];
      place.classList.toggle("sl-free", !mistake);
      if (!mistake) { written(said, ""); written(is, ""); return; }
      const [row, wrong, right, now] = mistake;
      paintImage(canvas, picture.images[row], picture.shape);
      place.classList.toggle("sl-right", now === 1);
      place.dataset.row = row;
      written(said, now ? `✓ ${name(right)}` : `${name(wrong)}?`);
      written(is, now ? "by now" : `is ${name(right)}`);
      place.title = now ? `read rightly by now: ${name(right)}` : `says ${name(wrong)}, is ${name(right)}`;
    });
  }

  function draw(picture, rows, offline) {
    const { paper } = accuracy.colours(), last = rows[rows.length - 1];
    dark = isDark(paper);
    const tints = Object.fromEntries(Object.entries(picture.colours).map(([name, hex]) => [name, dark ? lighter(hex) : hex]));
    written(start, picture.playing ? "❚❚ Pause" : last[0] >= picture.end ? "▶ Go on" : "▶ Start");
    start.dataset.action = picture.playing ? "pause" : "start";
    panel.follow(picture.values, picture.choices);
    const alive = picture.live.reduce((a, b) => a + b, 0), percent = (share) => share.toFixed(3);
    written(live.big, `${alive}`);
    written(live.small, `of ${picture.live.length} hidden neurons live`);
    written(whole.big, `● ${percent(last[1])}`);
    written(cut.big, `◆ ${percent(last[2])}`);
    whole.big.style.color = live.big.style.color = tints.with;
    cut.big.style.color = tints.without;
    drawSpectrum(picture, tints.with);
    const lowest = Math.min(...rows.slice(rows.length > 4 ? 3 : 0).flatMap((row) => [row[1], row[2]]), 0.95), low = Math.floor(10 * lowest) / 10;
    const some = low < 0.5 ? 0.2 : low < 0.8 ? 0.1 : 0.05, ticks = [];
    for (let v = 1; v > low - 1e-9; v -= some) ticks.push(Math.round(100 * v) / 100);
    drawLines(accuracy, picture, rows, [{ column: 1, tint: tints.with, dash: [], mark: "●" }, { column: 2, tint: tints.without, dash: [8, 5], mark: "◆" }], ticks, 1, low);
    const pool = picture.live.length;
    drawLines(lives, picture, rows, [{ column: 3, tint: tints.with, dash: [], mark: "●" }], [0, pool], pool, 0);
    drawMisread(picture);
    panel.say(picture.message, offline);
    if (!picture.playing) panel.tell(picture.words);
    pictures++;
    // for whoever watches from outside
    Object.assign(root.dataset, { pictures, step: last[0], playing: picture.playing, build: picture.build, live: alive, hidden: pool, rho: picture.values.rho, accuracy: percent(last[1]), without: percent(last[2]), misread: picture.misread[0], version: shown });
  }

  return () => {
    clock.stop();
    for (const face of [spectrum, lives, accuracy]) face.stop();
  };
}

export default { render: ({ model, el }) => makeHead(model, el) };
