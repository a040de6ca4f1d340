// The browser's half of the pruning bench.  The scene {places, links, rankings with order and accuracies, …} comes once a network;
// share and ranking are then drawn here at once, and the kernel is told of them.  A question is
// {number, client, build, set, action, train}; the answer is a picture.  One question is under way at a time; what the hand does
// meanwhile waits for the next one, of each setting the latest only.

const SILENCE = 6000; // ms without an answer before the page says so; a large network may be trained meanwhile

// The channel to the kernel.
function makeChannel(model, show, silent) {
  const client = Math.random().toString(36).slice(2);
  let number = 0, underWay = null, askedAt = 0, patience = SILENCE, raf = 0, build = null, set = {}, flying = {}, action = null, work = false;
  function ask() {
    raf = 0;
    if (underWay !== null) return;
    flying = set;
    set = {};
    underWay = ++number;
    askedAt = performance.now();
    try { model.send({ number, client, build, set: flying, action, train: work && !action }); } catch (error) { silent(true); }
    action = null;
    work = false;
  }
  const soon = () => { if (underWay === null) raf ||= requestAnimationFrame(ask); };
  function onMessage(message, buffers) {
    if (message.kind !== "picture") return;
    silent(false);
    patience = SILENCE;
    if (message.client === client && message.number === underWay) { underWay = null; flying = {}; }
    if (message.build < build || (message.build > build && !message.scene)) { build = null; soon(); return; }
    build = message.build;
    show(message, buffers);
    work = message.work !== "";
    if (work || action || Object.keys(set).length) soon();
  }
  model.on("msg:custom", onMessage);
  const watch = setInterval(() => {
    if (underWay === null || performance.now() - askedAt < patience) return;
    silent(true);
    patience *= 2; // a kernel that is busy for long will find a few questions, not hundreds
    underWay = null;
    set = { ...flying, ...set };
    soon();
  }, 500);
  ask();
  return {
    move(name, value) { set[name] = value; soon(); },
    act(name) { action = name; soon(); },
    ahead: (name) => name in set || name in flying, // the hand is ahead of what the kernel has told
    stop() { model.off("msg:custom", onMessage); clearInterval(watch); cancelAnimationFrame(raf); },
  };
}

function unpacked(contents, buffers) {
  const types = { f4: Float32Array, i2: Int16Array, u2: Uint16Array, i1: Int8Array }, arrays = {};
  if (!buffers || !buffers.length) return arrays;
  const view = buffers[0], bytes = view.buffer ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : view; // unaligned else
  let at = 0;
  for (const [name, kind, length] of contents) {
    arrays[name] = new types[kind](bytes, at, length);
    at += Math.ceil(length * types[kind].BYTES_PER_ELEMENT / 4) * 4;
  }
  return arrays;
}

function render({ model, el }) {
  const html = (tag, name, more = {}, ...children) => { const made = Object.assign(document.createElement(tag), { className: name && `sl-${name}` }, more); made.append(...children); return made; };
  const written = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const rankings = makeRankings("prune by", choose), { by } = rankings, cut = html("div", "cut"), middle = html("div", "middle"), side = html("div", "side"), settings = html("div", "settings");
  const report = html("div", "report"), alarm = html("div", "alarm"), words = html("div", "spoken");
  alarm.setAttribute("role", "alert");
  words.setAttribute("role", "status");
  const root = html("div", "root sl-bench", {}, by, cut, alarm, middle, side, settings, report, words);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "pruning bench");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's command keys must not act on the cell while a control has the focus
  root.addEventListener("keydown", (event) => event.stopPropagation()); // nor Notebook 7's
  el.classList.add("sl-host");
  el.replaceChildren(root);

  let scene = null, arrays = {}, told = null, share = 0, ranking = "", example = 0, looked = null, offline = false, pictures = 0, raf = 0, dark = false, later = 0, asked = false;
  const channel = makeChannel(model, receive, (now) => { if (offline !== now) { offline = now; repaint(); } });
  const repaint = () => { raf ||= requestAnimationFrame(() => { raf = 0; draw(); }); };
  const setShare = (value) => { share = Math.round(value * scene.places.length) / scene.places.length; channel.move("share", share); repaint(); };
  const channels = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  const shade = (hex, ink) => (hex === "#444444" && ink ? ink : dark ? `rgb(${channels(hex).map((v) => Math.round(v + 0.42 * (255 - v)))})` : hex);
  const hand = {
    look(node) { if (looked !== node) { looked = node; repaint(); } },
    looked: () => looked, another() { example++; repaint(); }, arrays: () => arrays, share: setShare, shade,
  };
  const graph = makeNeurons(middle, hand);
  const numbers = html("div", "numbers"), big = html("output", "big"), left = html("div", "left");
  numbers.append(big, left);
  side.append(numbers);
  const curves = makeRemoval(side, hand);

  // -- controls ------------------------------------------------------------------------------------------------------
  const id = (name) => `sl-bench-${name}-${Math.random().toString(36).slice(2)}`;
  const range = html("input", "", { type: "range", min: 0, max: 1, step: 1, id: id("share") }), field = html("input", "field", { type: "text", inputMode: "decimal", title: "type an exact share" });
  range.dataset.setting = "share";
  field.dataset.field = "share";
  field.setAttribute("aria-label", "share of pruned neurons, exact value");
  range.addEventListener("input", () => setShare(range.value / scene.places.length));
  field.addEventListener("change", () => {
    const typed = Number(field.value.replace(",", "."));
    if (field.value.trim() !== "" && typed >= 0 && typed <= 1) setShare(typed);
    else channel.move("share", Number.isNaN(typed) || field.value.trim() === "" ? field.value : typed); // the kernel says in words what is wrong
  });
  cut.append(html("label", "", { htmlFor: range.id, textContent: "share of pruned neurons" }), range, field);

  const controls = {};
  function setting(name, text, title, input, read) {
    input.id = id(name);
    input.title = title;
    input.dataset.field = name;
    input.addEventListener("change", () => channel.move(name, read(input.value)));
    controls[name] = input;
    settings.append(html("span", "pair", {}, html("label", "", { htmlFor: input.id, textContent: text, title }), input));
  }
  const number = (text) => (text.trim() === "" || Number.isNaN(+text) ? text : +text);
  setting("start", "trained", "in which space, and from which eigenvalues", html("select", ""), String);
  setting("hidden", "hidden neurons", "of one layer, or of several: 60 60", html("input", "field", { type: "text" }), (text) => { const found = text.split(/[^\d.-]+/).filter(Boolean).map(Number); return found.length ? found : text; });
  setting("gamma", "L1 γ", "weight of the penalty γ Σ|λ| while it was trained", html("select", ""), Number);
  setting("seed", "seed", "of the start, and of the random ranking", html("input", "field", { type: "text", inputMode: "numeric" }), number);
  const buttons = {}, acts = html("span", "acts");
  settings.append(acts);
  for (const [name, text, title] of [["real", "Make it real", "a network of its own, without the pruned neurons, and its certificate"], ["retrain", "Retrain", "train the pruned network once more; a star shows where it gets"], ["pretrain", "Pre-training", "train the eigenvalues, prune, train the eigenvectors of what is left, at several shares"]]) {
    buttons[name] = html("button", "button", { type: "button", textContent: text, title });
    buttons[name].dataset.action = name;
    buttons[name].addEventListener("click", () => { asked = name === "real"; channel.act(told && told.work === name ? "stop" : name); });
    acts.append(buttons[name]);
  }

  function choose(name) { ranking = name; channel.move("ranking", name); repaint(); }

  let drawnControls = "";
  function drawControls(ink) {
    const look = `${told.build} ${ink} ${dark}`;
    if (drawnControls !== look) { // a new network, or another theme
      drawnControls = look;
      rankings.build(scene.rankings, Object.fromEntries(scene.rankings.map((r) => [r.name, shade(r.colour, ink)])), ranking);
      range.max = scene.places.length;
    }
    rankings.show(ranking);
    range.value = Math.round(share * scene.places.length);
    range.setAttribute("aria-valuetext", `${Math.round(100 * share)} percent`);
    if (document.activeElement !== field) field.value = String(+share.toFixed(4));
    const options = (select, pairs, value) => {
      if (select.options.length !== pairs.length) select.replaceChildren(...pairs.map(([v, text]) => html("option", "", { value: v, textContent: text })));
      if (document.activeElement !== select || select.value !== String(value)) select.value = String(value);
    };
    const { start, hidden, gamma, seed } = told.values, gammas = [...new Set([0, 0.0001, 0.001, 0.003, 0.01, 0.03, gamma])].sort((a, b) => a - b);
    if (!channel.ahead("start")) options(controls.start, scene.starts, start);
    if (!channel.ahead("gamma")) options(controls.gamma, gammas.map((v) => [v, String(v)]), gamma);
    for (const [name, value] of [["hidden", hidden.join(" ")], ["seed", String(seed)]]) if (!channel.ahead(name) && document.activeElement !== controls[name]) controls[name].value = value;
    for (const input of Object.values(controls)) input.parentElement.hidden = !told.can.renew;
    buttons.retrain.hidden = !told.can.retrain;
    buttons.pretrain.hidden = !told.can.pretrain;
    for (const [name, text] of [["retrain", "Retrain"], ["pretrain", "Pre-training"]]) written(buttons[name], told.work === name ? "❚❚ Stop" : text);
  }

  function drawReport() {
    report.hidden = !told.real;
    if (!told.real) return;
    const text = JSON.stringify(told.real);
    if (report.dataset.text === text) return;
    report.dataset.text = text;
    const row = (tag, cells) => html("tr", "", {}, ...cells.map((cell) => html(tag, "", { textContent: cell })));
    report.replaceChildren(html("table", "", {}, row("th", ["", "before", "after"]), ...told.real.rows.map((cells) => row("td", cells))), html("p", told.real.exact ? "" : "changed", { textContent: told.real.summary }));
    if (asked) report.scrollIntoView({ block: "nearest" }); // who has pressed the button wants to see it
    asked = false;
  }

  function draw() {
    if (!scene) return;
    const { ink, paper } = graph.face.colours(), rgb = paper.startsWith("#") ? (paper.length === 4 ? [...paper.slice(1)].map((c) => parseInt(c + c, 16)) : channels(paper)) : (paper.match(/\d+/g) || [255, 255, 255]).map(Number);
    dark = rgb[0] + rgb[1] + rgb[2] < 384;
    const ranked = scene.rankings.find((r) => r.name === ranking) || scene.rankings[0], keep = scene.places.length - Math.round(share * scene.places.length);
    const tints = Object.fromEntries(scene.rankings.map((r) => [r.name, shade(r.colour, ink)])), view = { ranked, keep, example, looked, tint: tints[ranked.name] };
    drawControls(ink);
    graph.draw(scene, view);
    curves.draw(scene, told, view, tints);
    const now = ranked.accuracy[keep], again = told.retrained.find((one) => one.ranking === ranking && Math.abs(one.share - share) < 1e-9);
    written(big, now.toFixed(3));
    const pool = scene.places.length, all = ranked.weights[pool], lines = [`accuracy (all ${pool}: ${ranked.accuracy[pool].toFixed(3)})`, `${keep} of ${pool} neurons left`, `${ranked.weights[keep].toLocaleString("en")} of ${all.toLocaleString("en")} weights`];
    if (again) lines.push(`★ retrained: ${again.after.toFixed(3)}`);
    written(left, lines.join("\n"));
    drawReport();
    written(alarm, offline ? "The kernel is not connected, or busy. If it was restarted, run the cell again." : told.message);
    clearTimeout(later); // a line that is read aloud must not chatter while the hand drags
    later = setTimeout(() => written(words, `${pool - keep} of ${pool} neurons pruned by ${ranked.label}: accuracy ${now.toFixed(3)}, with all of them ${ranked.accuracy[pool].toFixed(3)}; ${ranked.weights[keep].toLocaleString("en")} of ${all.toLocaleString("en")} weights left`), 250);
    pictures++;
    Object.assign(root.dataset, { pictures, build: told.build, share: share.toFixed(4), ranking, keep, accuracy: now.toFixed(4), work: told.work, tickets: told.tickets.length, example: example % scene.examples.length }); // for whoever watches from outside
  }

  function receive(message, buffers) {
    if (message.scene) {
      ({ scene } = message);
      arrays = unpacked(message.contents, buffers);
      looked = null;
    }
    told = message;
    if (!channel?.ahead("share")) ({ share } = message);
    if (!channel?.ahead("ranking") || !scene.rankings.some((r) => r.name === ranking)) ({ ranking } = message);
    repaint();
  }

  const resized = new ResizeObserver(repaint);
  resized.observe(root);
  // A change of theme: JupyterLab loads the new colours a moment after it has named the theme.
  const themed = new MutationObserver(() => { for (const wait of [600, 2000]) setTimeout(repaint, wait); });
  themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name"] });
  return () => {
    channel.stop();
    clearTimeout(later);
    cancelAnimationFrame(raf);
    resized.disconnect();
    themed.disconnect();
    graph.stop();
    curves.stop();
  };
}

export default { render };
