// The browser's half of the classroom: controls, both students with the teacher between them, and the slider that prunes.
// The answers of the kernel bring rows [step, error of both] from `have` on; all else is of now.

function makeRoom(model, el) {
  let hand = null, pictures = 0; // `hand`: how many nodes it keeps, ahead of the kernel
  const typed = new Set();
  const make = (tag, name, more = {}) => Object.assign(document.createElement(tag), { className: name ? `sl-${name}` : "" }, more);
  const root = make("div", "root sl-room"), transport = make("div", "transport"), alarm = make("div", "alarm"), spoken = make("div", "spoken");
  const board = make("div", "board"), below = make("div", "below");
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "a teacher and two students");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's command keys must not act on the cell while a control has the focus
  root.addEventListener("keydown", (event) => event.stopPropagation()); // nor Notebook 7's
  alarm.setAttribute("role", "alert");
  spoken.setAttribute("role", "status");
  root.append(transport, alarm, board, below, spoken);
  el.classList.add("sl-host");
  el.replaceChildren(root);

  const clock = makeClock(model, root, draw);

  // -- the controls --------------------------------------------------------------------------------------------------
  const button = (name, text, title, parent, more = "") => {
    const made = make("button", `button ${more}`, { type: "button", textContent: text, title });
    made.dataset.action = name;
    parent.append(made);
    return made;
  };
  const pressing = (made) => { made.addEventListener("click", () => clock.press(made.dataset.action)); return made; };
  const start = pressing(button("start", "▶ Start", "train both students, or pause", transport, "sl-train"));
  pressing(button("reset", "⟲ Reset", "the same students, untrained", transport));
  const grow = pressing(button("grow", "Grow h", "one lesson after the other, with more and more nodes", transport));
  const controls = {};

  // A slider with a field for exact values; `from` and `to` turn a value into a place on the slider and back.
  function control(name, label, title, range, from = (v) => v, to = (p) => +p) {
    const box = make("div", "control"), id = `${clock.client}-${name}`, words = make("label", "", { htmlFor: id, textContent: label, title });
    const slider = range && make("input", "", { type: "range", id, title, ...range }), field = make("input", "field", { type: "text", inputMode: "decimal" });
    if (!slider) field.id = id;
    field.setAttribute("aria-label", title);
    field.dataset.field = name;
    field.addEventListener("input", () => typed.add(name));
    field.addEventListener("change", () => { typed.delete(name); clock.move(name, field.value.trim() === "" || Number.isNaN(+field.value) ? field.value : +field.value); });
    field.addEventListener("blur", () => { typed.delete(name); clock.repaint(); });
    if (slider) {
      slider.dataset.setting = name;
      slider.addEventListener("input", () => { field.value = String(to(slider.value)); clock.move(name, to(slider.value)); });
    }
    box.append(words, ...(slider ? [slider] : []), field);
    transport.append(box);
    controls[name] = { slider, field, from };
  }
  const teachers = make("select", "", { title: "sizes of the teacher's layers" });
  teachers.setAttribute("aria-label", "teacher");
  teachers.dataset.setting = "teacher";
  teachers.addEventListener("change", () => clock.move("teacher", teachers.value.split("–").map(Number)));
  const chosen = make("div", "control");
  chosen.append(make("span", "label", { textContent: "teacher" }), teachers);
  transport.append(chosen);
  control("h", "h", "nodes of the students' hidden layer", { min: 1, max: 100, step: 1 });
  const powers = (v) => (v > 0 ? 1 + 20 * (Math.log10(v) + 6) : 0), value = (p) => (+p === 0 ? 0 : +(10 ** ((p - 1) / 20 - 6)).toPrecision(2));
  control("alpha", "α", "strength of the penalty, for λ, φ and w alike", { min: 0, max: 121, step: 1 }, powers, value);
  control("seed", "seed", "seed of the students and of the order of the points", null);

  // -- the pictures --------------------------------------------------------------------------------------------------
  const column = (name) => { const made = make("section", `column sl-${name}`), head = make("h3", ""); made.append(head); board.append(made); return { made, head }; };
  const spectral = column("spectral"), middle = column("teacher"), direct = column("direct");
  const canvases = {
    graphs: [spectral, direct].map(({ made }) => makeCanvas(made, "numbered: the same as that node of the teacher")),
    teacher: makeCanvas(middle.made, "filled: ◖ found by spectral, ◗ by direct"),
    histograms: [spectral, direct].map(({ made }) => makeCanvas(made, "its nodes by relevance")),
    cores: makeCanvas(middle.made, "core against h; dashed: the teacher"),
    errors: makeCanvas(below, "mean squared error on new points"),
  };
  const pruning = make("div", "pruning");
  below.append(pruning);
  const told = make("div", "told");
  pruning.append(told);
  canvases.transition = makeCanvas(pruning, "the same error, if only the most relevant nodes stay");
  const knob = make("div", "knob"), keep = make("input", "", { type: "range", min: 0, step: 1, title: "nodes that stay" }), cuts = make("div", "cuts");
  keep.setAttribute("aria-label", "nodes that stay");
  keep.dataset.setting = "kept";
  keep.addEventListener("input", () => { hand = +keep.value; clock.move("kept", hand); });
  knob.append(keep);
  for (const [name, text] of [["teacher", "prune to the teacher's size"], ["core", "prune to the core"], ["all", "keep all"]]) pressing(button(name, text, text, cuts));
  pruning.append(knob, cuts);

  // -- drawing -------------------------------------------------------------------------------------------------------
  function theme(picture) {
    const { ink, paper } = canvases.errors.colours(), dark = isDark(paper);
    const tints = Object.fromEntries(picture.students.map(({ kind, colour }) => [kind, dark ? lighter(colour) : colour]));
    return { ink, paper, of: (kind) => tints[kind], onTint: dark ? "#000" : "#fff" };
  }
  const short = (error) => (error >= 1000 || error < 1e-3 ? error.toExponential(1) : error.toPrecision(2));

  function drawControls(picture, step) {
    const over = step >= picture.end;
    start.textContent = picture.playing ? "❚❚ Pause" : over ? "▶ Go on" : "▶ Start";
    start.dataset.action = picture.playing ? "pause" : "start";
    grow.setAttribute("aria-pressed", String(picture.growing.length > 0));
    grow.title = picture.growing.length ? `to come: h = ${picture.growing.join(", ")}` : "one lesson after the other, with more and more nodes";
    controls.h.slider.max = picture.widest;
    for (const [name, { slider, field, from }] of Object.entries(controls)) {
      if (clock.ahead(name) || typed.has(name)) continue;
      const text = String(picture.values[name]);
      if (field.value !== text) field.value = text;
      if (slider) slider.value = from(picture.values[name]);
    }
    const options = picture.teachers.map((sizes) => sizes.join("–"));
    if (teachers.options.length !== options.length) teachers.replaceChildren(...options.map((text) => make("option", "", { value: text, textContent: text })));
    if (!clock.ahead("teacher")) teachers.value = picture.values.teacher.join("–");
    keep.max = picture.values.h;
  }

  function draw(picture, rows, offline) {
    const look = theme(picture), h = picture.values.h, step = rows[rows.length - 1][0];
    drawControls(picture, step);
    if (!clock.ahead("kept")) hand = null;
    const kept = Math.min(hand ?? picture.kept, h), stays = picture.students.map(({ order }) => new Set(order.slice(0, kept)));
    if (+keep.value !== kept) keep.value = kept;
    keep.setAttribute("aria-valuetext", `${kept} of ${h}`);
    picture.students.forEach((student, k) => {
      const { head } = [spectral, direct][k];
      const text = `${k ? "◆ direct" : "● spectral"} student: core ${student.core} of ${h}`;
      if (head.textContent !== text) head.textContent = text;
      head.style.color = look.of(student.kind);
      drawStudent(canvases.graphs[k], look, student, picture.teacher.sizes, stays[k]);
      canvases.histograms[k].setCaption(`its nodes by relevance R = ${k ? "‖w‖" : "|λ| ‖φ‖"}: ${student.clear ? student.core < h ? "a gap" : "all in one heap" : "no gap"}`);
      drawHistogram(canvases.histograms[k], look, student, stays[k]);
    });
    const found = picture.students.map((student, k) => foundBy(student, stays[k]).size), n = picture.teacher.sizes[1];
    const title = `the teacher: ${n} nodes`;
    if (middle.head.textContent !== title) middle.head.textContent = title;
    drawTeacher(canvases.teacher, look, picture.teacher, picture.students, stays);
    drawCores(canvases.cores, look, picture);
    drawErrors(canvases.errors, look, picture, rows);
    drawTransition(canvases.transition, look, picture, kept);
    told.replaceChildren(make("b", "", { textContent: `${kept} of ${h} nodes stay: test MSE ` }), ...picture.students.map(({ kind, curve }, k) => {
      const made = make("b", "mse", { textContent: `${k ? "◆" : "●"} ${short(curve[kept])}` });
      made.dataset.mse = kind;
      made.style.color = look.of(kind);
      return made;
    }));
    const text = offline ? "The kernel is not connected, or busy. If it was restarted, run the cell again." : picture.message;
    if (alarm.textContent !== text) alarm.textContent = text;
    if (!picture.playing && spoken.textContent !== picture.words) spoken.textContent = picture.words;
    pictures++;
    // for whoever watches from outside
    Object.assign(root.dataset, { pictures, step, playing: picture.playing, build: picture.build, kept, h, core: picture.students[0].core, found: found.join() });
  }

  return () => {
    clock.stop();
    for (const canvas of Object.values(canvases).flat()) canvas.stop();
  };
}

export default { render: ({ model, el }) => makeRoom(model, el) };
