// The browser's half of the classroom: controls, both students with the teacher between them, and the slider that prunes.
// The answers of the kernel bring rows [step, error of both] from `have` on; all else is of now.

function makeRoom(model, el) {
  let hand = null, pictures = 0; // `hand`: how many nodes it keeps, ahead of the kernel
  const panel = makePanel(el, "room", "a teacher and two students"), { root, make, written } = panel;
  const board = make("div", "board"), below = make("div", "below");
  panel.alarm.after(board, below);
  const clock = makeClock(model, root, draw);
  panel.drivenBy(clock);

  // -- the controls --------------------------------------------------------------------------------------------------
  const start = panel.button("start", "▶ Start", "train both students, or pause", undefined, "sl-train");
  panel.button("reset", "⟲ Reset", "the same students, untrained");
  const grow = panel.button("grow", "Grow h", "one lesson after the other, with more and more nodes");
  panel.choice("teacher", "teacher", "sizes of the teacher's layers");
  const widest = panel.number("h", "h", "nodes of the students' hidden layer", { min: 1, max: 100, step: 1 }).slider;
  panel.number("alpha", "α", "strength of the penalty, for λ, φ and w alike", POWERS.range, POWERS);
  panel.number("seed", "seed", "seed of the students and of the order of the points", null);

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
  for (const [name, text] of [["teacher", "prune to the teacher's size"], ["core", "prune to the core"], ["all", "keep all"]]) panel.button(name, text, text, cuts);
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
    written(start, picture.playing ? "❚❚ Pause" : over ? "▶ Go on" : "▶ Start");
    start.dataset.action = picture.playing ? "pause" : "start";
    grow.setAttribute("aria-pressed", String(picture.growing.length > 0));
    grow.title = picture.growing.length ? `to come: h = ${picture.growing.join(", ")}` : "one lesson after the other, with more and more nodes";
    widest.max = picture.widest;
    panel.follow(picture.values, { teacher: picture.teachers.map((sizes) => [sizes, sizes.join("–")]) });
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
      written(head, text);
      head.style.color = look.of(student.kind);
      drawStudent(canvases.graphs[k], look, student, picture.teacher.sizes, stays[k]);
      canvases.histograms[k].setCaption(`its nodes by relevance R = ${k ? "‖w‖" : "|λ| ‖φ‖"}: ${student.clear ? student.core < h ? "a gap" : "all in one heap" : "no gap"}`);
      drawHistogram(canvases.histograms[k], look, student, stays[k]);
    });
    const found = picture.students.map((student, k) => foundBy(student, stays[k]).size), n = picture.teacher.sizes[1];
    written(middle.head, `the teacher: ${n} nodes`);
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
    panel.say(picture.message, offline);
    if (!picture.playing) panel.tell(picture.words);
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
