// The browser's half of the filter bench.  The scene {layers, rankings with order and accuracies} comes once a CNN; the slider is
// then followed here at once, and the kernel is told.  Only for a choice by hand the accuracy is the kernel's.

function makeFilters(model, el) {
  let pictures = 0, shown = null, scene = null, told = null, off = null, ranking = "", built = "", asked = false;
  const panel = makePanel(el, "filterbench", "filters of a CNN"), { root, make, written } = panel;
  const clock = makeClock(model, root, draw, () => ({ shown }));
  panel.drivenBy(clock);
  const key = ([k, n]) => `${k}.${n}`, ranked = () => scene.rankings.find((r) => r.name === ranking) || scene.rankings[0];
  const pool = () => ranked().order.length;

  // -- what a hand does ----------------------------------------------------------------------------------------------
  function keep(n) {
    off = new Set(ranked().order.slice(n).map(key));
    clock.move("kept", n);
    clock.move("off", null); // a choice by hand that has not been sent yet is overtaken
  }
  function choose(name) { const n = pool() - off.size; ranking = name; clock.move("ranking", name); keep(n); }
  function toggle(filter) {
    if (!off.delete(key(filter))) off.add(key(filter));
    clock.move("off", ranked().order.filter((f) => off.has(key(f))));
  }
  const isRanked = () => { const n = pool() - off.size; return ranked().order.slice(n).every((f) => off.has(key(f))); };

  // -- the page ------------------------------------------------------------------------------------------------------
  const rankings = makeRankings("rank by", choose), { by } = rankings, cut = make("div", "cut"), board = make("div", "board"), racks = make("section", "racks"), side = make("section", "side");
  const range = make("input", "", { type: "range", min: 0, step: 1, title: "filters that are on, the most relevant ones" }), count = make("output", "count", { ariaLive: "off" });
  range.dataset.setting = "kept";
  range.setAttribute("aria-label", "filters kept");
  range.addEventListener("input", () => keep(+range.value));
  cut.append(make("span", "label", { textContent: "filters kept" }), range, count);
  const big = make("output", "big", { ariaLive: "off" }), small = make("div", "small"), report = make("div", "report");
  side.append(make("div", "numbers", {}, big, small));
  const curves = makeCanvas(side, "");
  board.append(racks, side);
  root.insertBefore(by, panel.transport);
  root.insertBefore(cut, panel.transport);
  root.insertBefore(board, panel.transport);
  root.insertBefore(panel.alarm, board);
  panel.button("all", "All on", "switch every filter on");
  panel.button("real", "Remove physically", "a CNN of its own without the filters that are off").addEventListener("click", () => { asked = true; });
  panel.choice("rho", "penalty ρ", "weight of ρ Σ|λ| while it was trained; another CNN");
  panel.number("seed", "seed", "of the start, of the order of the images, and of the random ranking; another CNN", null);
  root.append(report);

  // The filters of one convolution, the most relevant one first; a click switches one.
  function makeRacks() {
    const bars = make("div", "note", { textContent: `bars: ${ranked().label}, of the largest of its convolution; a click switches a filter` });
    racks.replaceChildren(...scene.layers.flatMap((layer, k) => {
      const what = layer.signed ? "its weights: orange is positive, blue negative" : "what they find, on the average";
      const tiles = ranked().order.filter((f) => f[0] === k).map((filter) => {
        const canvas = make("canvas", ""), bar = make("span", "bar", {}, make("span", "fill")), tile = make("button", "tile", { type: "button" }, canvas, bar);
        tile.dataset.filter = key(filter);
        tile.setAttribute("role", "switch");
        tile.addEventListener("click", () => toggle(filter));
        return tile;
      });
      return [make("h3", "", { textContent: `convolution ${k + 1}: ${layer.images.length} filters, ${what}` }), make("div", "rack", {}, ...tiles)];
    }), bars);
  }

  function paintTiles(look) {
    const most = scene.layers.map((_, k) => Math.max(1e-12, ...ranked().score.filter((_, at) => scene.order0[at][0] === k)));
    scene.order0.forEach((filter, at) => {
      const [k, n] = filter, layer = scene.layers[k], tile = racks.querySelector(`[data-filter="${key(filter)}"]`), canvas = tile.firstChild;
      if (layer.signed) paintSigned(canvas, layer.images[n], layer.shape, look);
      else paintImage(canvas, layer.images[n], layer.shape);
      const score = ranked().score[at];
      tile.querySelector(".sl-fill").style.width = `${100 * score / most[k]}%`;
      tile.querySelector(".sl-fill").style.background = look.tints[ranked().name];
      tile.setAttribute("aria-label", `filter ${n} of convolution ${k + 1}, ${ranked().label} ${score.toPrecision(2)}`);
      tile.title = `filter ${n}: ${ranked().label} = ${score.toPrecision(2)}; a click switches it`;
    });
  }
  function paintSigned(canvas, bytes, [h, w], { positive, negative, paper }) {
    const found = atob(bytes), pen = canvas.getContext("2d"), image = pen.createImageData(w, h);
    for (let i = 0; i < h * w; i++) {
      const v = (found.charCodeAt(i) - 128) / 127, tint = v > 0 ? positive : negative, share = Math.min(1, Math.abs(v));
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = paper[c] + share * (tint[c] - paper[c]);
      image.data[4 * i + 3] = 255;
    }
    Object.assign(canvas, { width: w, height: h });
    pen.putImageData(image, 0, 0);
  }

  // -- drawing -------------------------------------------------------------------------------------------------------
  function drawCurves(look, accuracy) {
    const size = curves.begin();
    if (!size) return;
    const { pen } = curves, { ink, paper } = curves.colours(), left = 42, right = size.w - 14, top = 12, bottom = size.h - 26, n = pool();
    const x = (kept) => left + kept / n * (right - left), y = (v) => bottom - v * (bottom - top), at = n - off.size;
    drawAxes(curves, size, { left, right, top, bottom, y, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], format: (v) => v.toFixed(1), below: ["0", `filters kept, of ${n}`] });
    for (const one of [...scene.rankings.filter((r) => r !== ranked()), ranked()]) {
      pen.strokeStyle = look.tints[one.name];
      pen.lineWidth = one === ranked() ? 4 : 1.8;
      pen.lineJoin = "round";
      pen.setLineDash(one === ranked() ? [] : dashOf(one.name));
      pen.beginPath();
      one.accuracy.forEach((v, k) => pen.lineTo(x(k), y(v)));
      pen.stroke();
    }
    pen.setLineDash([]);
    pen.strokeStyle = ink;
    pen.lineWidth = 1.5;
    pen.beginPath(); pen.moveTo(x(at), top - 4); pen.lineTo(x(at), bottom); pen.stroke();
    if (accuracy !== null) {
      const hand = !isRanked();
      pen.beginPath();
      if (hand) { pen.moveTo(x(at), y(accuracy) - 11); pen.lineTo(x(at) + 11, y(accuracy)); pen.lineTo(x(at), y(accuracy) + 11); pen.lineTo(x(at) - 11, y(accuracy)); pen.closePath(); }
      else pen.arc(x(at), y(accuracy), 8, 0, 2 * Math.PI);
      pen.fillStyle = hand ? ink : look.tints[ranked().name];
      pen.fill();
      pen.strokeStyle = paper;
      pen.lineWidth = 2;
      pen.stroke();
    }
    curves.setCaption(`accuracy on ${scene.unseen.toLocaleString("en")} unseen images; ● by the ranking, ◆ chosen by hand`);
    curves.canvas.setAttribute("aria-label", `accuracy against the number of filters kept${accuracy === null ? "" : `; now ${accuracy.toFixed(3)}`}`);
  }

  function drawReport() {
    report.hidden = !told.real;
    const text = JSON.stringify(told.real);
    if (!told.real || report.dataset.text === text) return;
    report.dataset.text = text;
    const row = (tag, cells) => make("tr", "", {}, ...cells.map((cell) => make(tag, "", { textContent: cell })));
    const { rows, same, accuracy, change } = told.real;
    const words = same ? `Taken out or only switched off, the same accuracy: ${accuracy}. ${change === "0" ? "Not one output differs." : `No output differs by more than ${change}.`}` : `Taken out they are missed more than switched off: accuracy ${accuracy}, an output differs by ${change}.`;
    report.replaceChildren(make("table", "", {}, row("th", ["", "before", "after"]), ...rows.map((cells) => row("td", cells))), make("p", same ? "" : "changed", { textContent: words }));
    if (asked) report.scrollIntoView({ block: "nearest" }); // who has pressed the button wants to see it
    asked = false;
  }

  function draw(picture, _, offline) {
    told = picture;
    if (picture.scene && shown !== picture.build) {
      ({ scene, build: shown } = picture);
      scene.order0 = scene.layers.flatMap((layer, k) => layer.images.map((_, n) => [k, n]));
      off = null;
    }
    if (!scene || picture.build !== shown) return; // another CNN, whose scene is on its way
    const ahead = ["kept", "ranking", "off"].some(clock.ahead);
    if (!ahead || off === null) { off = new Set(picture.off.map(key)); ({ ranking } = picture.values); }
    const { ink, paper } = curves.colours(), dark = isDark(paper), tint = (hex) => (hex === "#444444" ? ink : dark ? lighter(hex) : hex);
    const look = { tints: Object.fromEntries(scene.rankings.map((r) => [r.name, tint(r.colour)])), positive: channels(tint(scene.colours.positive)), negative: channels(tint(scene.colours.negative)), paper: channels(paper) };
    const state = `${shown} ${ranking} ${ink}`;
    if (built !== state) { // a new CNN, another ranking or another theme
      built = state;
      const focused = document.activeElement?.dataset.filter;
      rankings.build(scene.rankings, look.tints, ranking);
      makeRacks();
      paintTiles(look);
      racks.querySelector(`[data-filter="${focused}"]`)?.focus();
    }
    rankings.show(ranking);
    for (const tile of racks.querySelectorAll("button")) tile.setAttribute("aria-checked", String(!off.has(tile.dataset.filter)));
    // While another CNN is trained, which takes its time, the filters and curves are still those of the former one.
    const training = clock.busy() || (SETTINGS.some(clock.ahead) ? "training another CNN" : "");
    const n = pool(), kept = n - off.size, byRank = isRanked(), accuracy = training ? null : byRank ? ranked().accuracy[kept] : ahead ? null : picture.accuracy;
    board.classList.toggle("sl-former", training !== "");
    range.max = n;
    range.value = kept;
    range.setAttribute("aria-valuetext", `${kept} of ${n}`);
    written(count, `${kept} of ${n}`);
    const rhos = [...new Set([0, 0.01, 0.05, 0.2, picture.values.rho])].sort((a, b) => a - b);
    panel.follow(picture.values, { rho: rhos.map((v) => [v, String(v)]) });
    for (const setting of SETTINGS) root.querySelector(`[data-setting="${setting}"], [data-field="${setting}"]`).parentElement.hidden = picture.own;
    written(big, accuracy === null ? "…" : accuracy.toFixed(3));
    const per = scene.layers.map((layer, k) => layer.images.length - [...off].filter((f) => f.startsWith(`${k}.`)).length);
    written(small, training ? `${training} …` : `accuracy (all ${n}: ${ranked().accuracy[n].toFixed(3)})\n${per.map((left, k) => `${left} of ${scene.layers[k].images.length}`).join(" + ")} filters${byRank ? " on" : ", by hand"}`);
    drawCurves(look, accuracy);
    drawReport();
    panel.say(picture.message, offline);
    panel.tell(training || `${kept} of ${n} filters on${byRank ? `, by ${ranked().label}` : ", chosen by hand"}: accuracy ${accuracy === null ? "not known yet" : accuracy.toFixed(3)}, with all of them ${ranked().accuracy[n].toFixed(3)}`);
    pictures++;
    // for whoever watches from outside
    Object.assign(root.dataset, { pictures, build: shown, kept, ranking, ranked: byRank, accuracy: accuracy === null ? "" : accuracy.toFixed(4), off: [...off].sort().join(), real: Boolean(picture.real), training, rho: picture.values.rho });
  }

  return () => {
    clock.stop();
    curves.stop();
  };
}

const SETTINGS = ["rho", "seed"]; // another value is another CNN

export default { render: ({ model, el }) => makeFilters(model, el) };
