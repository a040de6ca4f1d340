// The browser's half of the pruning bench.  The scene {places, links, rankings with order and accuracies, …} comes once a network;
// share and ranking are then drawn here at once, and the kernel is told of them.

function makeBench(model, el) {
  let scene = null, shown = null, arrays = {}, told = null, share = 0, ranking = "", example = 0, looked = null, pictures = 0, dark = false, built = "", asked = false;
  const panel = makePanel(el, "bench", "pruning bench"), { root, make, written } = panel;
  const clock = makeClock(model, root, draw, () => ({ shown })), { repaint } = clock;
  panel.drivenBy(clock);

  // -- what a hand does ----------------------------------------------------------------------------------------------
  const setShare = (value) => { share = Math.round(value * scene.places.length) / scene.places.length; clock.move("share", share); };
  const choose = (name) => { ranking = name; clock.move("ranking", name); };
  const shade = (hex, ink) => (hex === "#444444" && ink ? ink : dark ? lighter(hex) : hex);
  const hand = {
    look(node) { if (looked !== node) { looked = node; repaint(); } },
    looked: () => looked, another() { example++; repaint(); }, arrays: () => arrays, share: setShare, shade,
  };

  // -- the page ------------------------------------------------------------------------------------------------------
  const rankings = makeRankings("prune by", choose), cut = make("div", "cut"), middle = make("div", "middle"), side = make("div", "side"), report = make("div", "report");
  root.prepend(rankings.by, cut, panel.alarm, middle, side);
  panel.transport.after(report);
  const graph = makeNeurons(middle, hand), big = make("output", "big"), left = make("div", "left");
  side.append(make("div", "numbers", {}, big, left));
  const curves = makeRemoval(side, hand);

  const range = make("input", "", { type: "range", min: 0, max: 1, step: 1 }), field = make("input", "field", { type: "text", inputMode: "decimal", title: "type an exact share" });
  range.dataset.setting = "share";
  field.dataset.field = "share";
  field.setAttribute("aria-label", "share of pruned neurons, exact value");
  range.addEventListener("input", () => setShare(range.value / scene.places.length));
  field.addEventListener("change", () => {
    const typed = numeric(field.value.replace(",", "."));
    if (typed >= 0 && typed <= 1) setShare(typed);
    else clock.move("share", typed); // the kernel says in words what is wrong
  });
  range.setAttribute("aria-label", "share of pruned neurons");
  cut.append(make("span", "label", { textContent: "share of pruned neurons" }), range, field);

  const several = (text) => { const found = text.split(/[^\d.-]+/).filter(Boolean).map(Number); return found.length ? found : text; };
  panel.choice("start", "trained", "in which space, and from which eigenvalues");
  panel.number("hidden", "hidden neurons", "of one layer, or of several: 60 60", null, { show: (sizes) => sizes.join(" "), read: several });
  panel.choice("gamma", "L1 γ", "weight of the penalty γ Σ|λ| while it was trained");
  panel.number("seed", "seed", "of the start, and of the random ranking", null);
  panel.button("real", "Make it real", "a network of its own, without the pruned neurons, and its certificate").addEventListener("click", () => { asked = true; });
  const works = {
    retrain: [panel.button("retrain", "Retrain", "train the pruned network once more; a star shows where it gets"), "Retrain"],
    pretrain: [panel.button("pretrain", "Pre-training", "train the eigenvalues, prune, train the eigenvectors of what is left, at several shares"), "Pre-training"],
  };

  // -- drawing -------------------------------------------------------------------------------------------------------
  function drawControls(tints, ink) {
    const look = `${shown} ${ink} ${dark}`, { values, can } = told;
    if (built !== look) { // a new network, or another theme
      built = look;
      rankings.build(scene.rankings, tints, ranking);
      range.max = scene.places.length;
    }
    rankings.show(ranking);
    range.value = Math.round(share * scene.places.length);
    range.setAttribute("aria-valuetext", `${Math.round(100 * share)} percent`);
    if (document.activeElement !== field) field.value = String(+share.toFixed(4));
    const gammas = [...new Set([0, 0.0001, 0.001, 0.003, 0.01, 0.03, values.gamma])].sort((a, b) => a - b);
    panel.follow(values, { start: scene.starts, gamma: gammas.map((v) => [v, String(v)]) });
    for (const control of panel.transport.querySelectorAll(".sl-control")) control.hidden = !can.renew;
    for (const [name, [button, text]] of Object.entries(works)) {
      button.hidden = !can[name];
      button.dataset.action = told.work === name ? "stop" : name;
      written(button, told.work === name ? "❚❚ Stop" : text);
    }
  }

  function drawReport() {
    report.hidden = !told.real;
    if (!told.real) return;
    const text = JSON.stringify(told.real);
    if (report.dataset.text === text) return;
    report.dataset.text = text;
    const row = (tag, cells) => make("tr", "", {}, ...cells.map((cell) => make(tag, "", { textContent: cell })));
    report.replaceChildren(make("table", "", {}, row("th", ["", "before", "after"]), ...told.real.rows.map((cells) => row("td", cells))), make("p", told.real.exact ? "" : "changed", { textContent: told.real.summary }));
    if (asked) report.scrollIntoView({ block: "nearest" }); // who has pressed the button wants to see it
    asked = false;
  }

  function draw(picture, _, offline) {
    told = picture;
    if (picture.scene && shown !== picture.build) {
      ({ scene, build: shown } = picture);
      arrays = readArrays(picture.contents, picture.buffers[0]);
      looked = null;
    }
    if (shown !== picture.build) { clock.again(); return; } // another network, whose scene did not come with it
    if (!clock.ahead("share")) ({ share } = picture);
    if (!clock.ahead("ranking") || !scene.rankings.some((r) => r.name === ranking)) ({ ranking } = picture);
    const { ink, paper } = graph.face.colours();
    dark = isDark(paper);
    const ranked = scene.rankings.find((r) => r.name === ranking), keep = scene.places.length - Math.round(share * scene.places.length);
    const tints = Object.fromEntries(scene.rankings.map((r) => [r.name, shade(r.colour, ink)])), view = { ranked, keep, example, looked, tint: tints[ranking] };
    drawControls(tints, ink);
    graph.draw(scene, view);
    curves.draw(scene, told, view, tints);
    const now = ranked.accuracy[keep], again = told.retrained.find((one) => one.ranking === ranking && Math.abs(one.share - share) < 1e-9);
    written(big, now.toFixed(3));
    const pool = scene.places.length, all = ranked.weights[pool], lines = [`accuracy (all ${pool}: ${ranked.accuracy[pool].toFixed(3)})`, `${keep} of ${pool} neurons left`, `${ranked.weights[keep].toLocaleString("en")} of ${all.toLocaleString("en")} weights`];
    if (again) lines.push(`★ retrained: ${again.after.toFixed(3)}`);
    written(left, lines.join("\n"));
    drawReport();
    panel.say(told.message, offline);
    panel.tell(`${pool - keep} of ${pool} neurons pruned by ${ranked.label}: accuracy ${now.toFixed(3)}, with all of them ${ranked.accuracy[pool].toFixed(3)}; ${ranked.weights[keep].toLocaleString("en")} of ${all.toLocaleString("en")} weights left`);
    pictures++;
    Object.assign(root.dataset, { pictures, build: told.build, share: share.toFixed(4), ranking, keep, accuracy: now.toFixed(4), work: told.work, tickets: told.tickets.length, example: example % scene.examples.length }); // for whoever watches from outside
  }

  return () => {
    clock.stop();
    graph.stop();
    curves.stop();
  };
}

export default { render: ({ model, el }) => makeBench(model, el) };
