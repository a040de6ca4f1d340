// The browser's half of one layer: it draws the numbers that the kernel sends, and tells it what the hand moves.
// A question is {number, client, moves: [[what, index, value], …], action}; it is answered with one picture.  One question
// is under way at a time; moves that come meanwhile wait for the next one, each handle's latest only.  A handle that moves
// stands where the hand has put it until the picture that knows of it has come.

const SILENCE = 3000; // ms without an answer before the page says so and asks again; each time it waits twice as long

// The channel to the kernel.
function makeChannel(model, show, silent) {
  const client = Math.random().toString(36).slice(2);
  let sent = 0, underWay = null, askedAt = 0, patience = SILENCE, actions = [], raf = 0, shown = null;
  const waiting = new Map(), flying = new Map(); // "in 2" → ["in", 2, value]

  function ask() {
    raf = 0;
    if (underWay !== null) return;
    const question = { number: ++sent, client, moves: [...waiting.values()], action: actions.shift() };
    for (const [name, move] of waiting) flying.set(name, move);
    waiting.clear();
    underWay = sent;
    askedAt = performance.now();
    try { model.send(question); } catch (error) { silent(true); }
  }
  const soon = () => { if (underWay === null) raf ||= requestAnimationFrame(ask); }; // at most one question a painted frame
  function onMessage(message) {
    if (message.kind !== "picture") return;
    silent(false);
    patience = SILENCE;
    if (message.client === client && message.number === underWay) { underWay = null; flying.clear(); }
    shown = message;
    show(shown);
    if (waiting.size || actions.length) soon();
  }
  model.on("msg:custom", onMessage);
  const watch = setInterval(() => {
    if (underWay === null || performance.now() - askedAt < patience) return;
    silent(true);
    patience *= 2; // a kernel that is busy for long will find a few questions, not hundreds
    underWay = null; // it is lost or late: ask again for what it asked
    for (const [name, move] of flying) if (!waiting.has(name)) waiting.set(name, move);
    soon();
  }, 500);
  ask();
  return {
    move(what, k, value) { waiting.set(`${what} ${k}`, [what, k, value]); soon(); if (shown) show(shown); },
    act(action) { actions.push(action); soon(); },
    // The value that the hand has given and the kernel does not know of yet.
    meant(what, k, value) { const move = waiting.get(`${what} ${k}`) || flying.get(`${what} ${k}`); return move ? move[2] : value; },
    stop() { model.off("msg:custom", onMessage); clearInterval(watch); cancelAnimationFrame(raf); },
  };
}

function render({ model, el }) {
  const part = (name, ...children) => html("div", { className: `sl-${name}` }, ...children);
  const bar = part("buttons"), columns = part("graph-box"), signal = part("signal"), first = part("matrices sl-first"), second = part("matrices sl-second"), readout = part("readout");
  const words = part("layer-words"), alarm = part("layer-alarm");
  words.setAttribute("role", "status");
  alarm.setAttribute("role", "alert");
  const right = part("right", first, second, readout);
  const root = part("layer", bar, part("left", columns, signal), right, words, alarm);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "one spectral layer");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's command keys must not act on the cell while a handle has the focus
  root.addEventListener("keydown", (event) => event.stopPropagation()); // nor Notebook 7's
  el.classList.add("sl-layer-host");
  el.replaceChildren(root);

  let shown = null, active = null, pictures = 0, offline = false, spokenAt = 0, later = 0;
  first.say = second.say = (text) => written(readout, text || "Point at a cell to read it.");
  first.say("");
  const channel = makeChannel(model, draw, (now) => { offline = now; sayAlarm(); });
  const hand = { move: channel.move, meant: channel.meant, look(now) { active = now; if (shown) draw(shown, false); } };
  function sayAlarm() { written(alarm, offline ? "The kernel is not connected, or busy. If it was restarted, run the cell again." : shown ? shown.message : ""); }
  const buttons = { reset: "Reset", linear: "Linear layer start: λⁱⁿ = 0, λᵒᵘᵗ = 1, φ = −w", equal: "Equal eigenvalues", random: "Random x" };
  for (const [action, text] of Object.entries(buttons)) {
    const button = html("button", { type: "button", textContent: text, onclick: () => channel.act(action) });
    button.dataset.action = action;
    bar.append(button);
  }

  const one = (i, j) => `w${lower(i)}${lower(j)} = (λⁱⁿ${lower(j)} − λᵒᵘᵗ${lower(i)}) φ${lower(i)}${lower(j)} = (${number(shown.lam_in[j])} − ${number(shown.lam_out[i])}) · ${number(shown.phi[i][j])} = ${number(shown.W[i][j])}`;
  const entry = (name, key) => (i, j) => `${name}[${i}, ${j}] = ${number(shown[key][i][j])}`;
  const wide = (rows, columns) => Math.min(50, Math.floor(240 / columns), Math.floor(300 / rows));
  const aside = (rows, columns) => (Math.max(rows, columns) > 4 ? 16 : 50); // φ beside W; many numbers would not fit
  const small = (rows) => Math.min(24, Math.floor(112 / rows));
  const views = columnsAndGrids();
  function columnsAndGrids() {
    const split = () => shown.lam_in.length, tiny = { cell: small, split };
    const made = { columns: makeColumns(columns, hand), signal: makeSignal(signal, hand), grids: {} };
    made.grids.phi = makeGrid(first, "phi", "φ: the eigenvectors", one, { cell: aside, letters: 28 });
    made.grids.W = makeGrid(first, "W", "W: wᵢⱼ = (λⁱⁿⱼ − λᵒᵘᵗᵢ) φᵢⱼ", one, { cell: wide, letters: 28, heads: () => [shown.lam_in, shown.lam_out] });
    for (const [key, name, after] of [["A", "A", "="], ["Phi", "Φ", ""], ["Lam", "Λ", ""], ["inverse", "Φ⁻¹", ""]]) {
      made.grids[key] = makeGrid(second, key, name, entry(name, key), tiny);
      if (after) second.append(html("span", { className: "sl-sign", textContent: after }));
    }
    return made;
  }
  // What an eigenvalue moves: a row or a column of W, one place on the diagonal of Λ, and both of these in A.
  function outlines() {
    const none = { phi: [], W: [], A: [], Phi: [], Lam: [], inverse: [] };
    if (!active) return none;
    const [side, k] = active, n_in = shown.lam_in.length, n_out = shown.lam_out.length, own = side === "in" ? [k, k] : [n_in + k, n_in + k];
    const line = side === "in" ? [0, k, n_out, 1] : [k, 0, 1, n_in];
    return { ...none, W: [line], Lam: [own], A: [own, [n_in + line[0], ...line.slice(1)]] };
  }

  function draw(newShown, fresh = newShown !== shown) {
    shown = newShown;
    const { colours, scale, hide } = shown, marks = outlines();
    second.hidden = hide.includes("matrices");
    if (second.hidden && signal.parentElement !== right) right.append(signal); // where the matrices would be
    signal.hidden = bar.querySelector("[data-action=random]").hidden = hide.includes("signal");
    views.columns.draw(shown, active, !signal.hidden);
    for (const [name, grid] of Object.entries(views.grids)) grid.draw(shown[name], scale, colours, marks[name]);
    if (!signal.hidden) views.signal.draw(shown);
    clearTimeout(later); // a line that is read aloud must not chatter while the hand drags
    const say = () => { spokenAt = performance.now(); written(words, shown.words); };
    if (performance.now() - spokenAt > 250) say();
    else later = setTimeout(say, 250);
    sayAlarm();
    if (fresh) pictures++;
    Object.assign(root.dataset, { pictures, active: active ? active.join(" ") : "" }); // for whoever watches from outside
  }
  return () => { channel.stop(); clearTimeout(later); };
}

export default { render };
