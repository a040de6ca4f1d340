// The browser's half of the playground: the clock that asks the kernel for pictures, and the views of each page.
// A question is {number, client, build, train, set, hands, action, gesture, look}.  It is answered by `train` slices of
// training with one "frame" after each, or by one frame if nothing is to be trained, preceded by a "scene" if the network
// was built anew.  `set` holds settings, `hands` what a hand did to neurons, `gesture` joins the moves of one drag for
// undo, and `look` is the node that the hand points at.

const SLICES = 3; // slices a question: every message costs the server as much as a small picture
const MOVING = 400; // ms after a move in which a question asks for one slice only, so that the next move is answered soon
const AHEAD = 1; // ask for more when only so many pictures are still to come: the kernel is never left waiting
const UNPAINTED = 2; // but not while so many pictures wait to be painted: a slow or hidden page stops the work
const INTERVAL = 1000 / 30; // at most so many pictures a second
const SILENCE = 3000; // ms without an answer before the page says so
const engines = new Map();

// One engine a model; it may have no view, one, or several.
function makeEngine(model) {
  const client = Math.random().toString(36).slice(2);
  const views = new Set();
  let scene = null, frame = null, dirty = false, raf = 0, timer = 0, paintedAt = -1e9;
  let number = 0, answered = 0, unpainted = 0, nextAsk = 0, lastMoved = -1e9, lastHeard = performance.now();
  let moved = {}, hands = new Map(), actions = [], moving = 0, connected = true, held = false;
  let gestures = 0, looked = null, pointedAt = null;
  const toCome = new Map(); // number of a question → pictures it will still bring
  const movedAt = {}; // setting → number of the question that carried it, Infinity while it waits
  const calm = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)");

  const busy = (name) => movedAt[name] > answered;
  const expected = () => [...toCome.values()].reduce((a, b) => a + b, 0);

  function ask(train, more = {}) {
    number++;
    if (!toCome.size) lastHeard = performance.now();
    toCome.set(number, Math.max(1, train));
    pointedAt = looked;
    try {
      model.send({ number, client, build: scene ? scene.build : null, train, look: looked, ...more });
    } catch (error) {
      setConnected(false);
    }
  }

  function askMoves() {
    const action = actions.shift(), more = { set: moved, hands: [...hands.values()], action, gesture: `${client}-${gestures}` };
    for (const name of Object.keys(moved)) movedAt[name] = number + 1;
    if (action && action[0] === "seek" && !actions.length) movedAt.seek = number + 1;
    moved = {};
    hands = new Map();
    ask(0, more);
    moving = number;
  }

  // Ask as often as it makes sense: for moves at once, one question at a time; for training ahead of the last picture.
  function pump() {
    clearTimeout(timer);
    const waiting = actions.length > 0 || hands.size > 0 || Object.keys(moved).length > 0;
    const resting = frame !== null && !frame.playing && String(looked) !== String(pointedAt);
    if (!toCome.has(moving) && (waiting || resting)) askMoves();
    if (frame === null || !frame.playing || held || views.size === 0 || expected() > AHEAD || unpainted >= UNPAINTED) return;
    const now = performance.now(), slices = now - lastMoved < MOVING ? 1 : SLICES;
    if (now < nextAsk) { timer = setTimeout(pump, nextAsk - now); return; }
    nextAsk = now + slices * INTERVAL;
    ask(slices);
  }

  function paint() {
    raf = 0;
    unpainted = 0;
    // whoever asks for less motion gets two pictures a second; the training goes on as fast
    if (calm && calm.matches && frame && frame.playing && performance.now() - paintedAt < 500) { pump(); return; }
    paintedAt = performance.now();
    const drawable = dirty && scene && frame && frame.build === scene.build;
    dirty = false;
    for (const view of drawable ? views : []) {
      try {
        view.draw(scene, frame, busy);
      } catch (error) { // said in words; the instrument pauses and goes on living
        view.told({ kind: "trouble", words: `A picture could not be drawn: ${error.message}` });
        if (frame.playing) hand.act("pause");
      }
    }
    pump();
  }
  const repaint = () => { dirty = true; raf ||= requestAnimationFrame(paint); };

  function setConnected(now) {
    if (connected === now) return;
    connected = now;
    for (const view of views) view.connection(now);
  }

  function onFrame(message, buffers) {
    const arrays = readArrays(message.contents, buffers[0]);
    // a light picture leaves out what changes slowly: that stays as it was
    const former = frame && frame.build === message.build ? frame : {};
    frame = { ...former, ...message, arrays: { ...former.arrays, ...arrays } };
    if (message.client === client && toCome.has(message.number)) {
      answered = Math.max(answered, message.number);
      if (message.done) toCome.delete(message.number);
      else toCome.set(message.number, toCome.get(message.number) - 1);
    }
    unpainted++;
    for (const view of views) view.remember(scene, frame);
    repaint();
    pump();
  }

  function onMessage(message, buffers) {
    lastHeard = performance.now();
    setConnected(true);
    if (message.kind === "frame") onFrame(message, buffers);
    else if (message.kind === "scene") scene = { ...message, arrays: readArrays(message.contents, buffers[0]) };
    else if (message.kind === "file") download(message.name, message.mime, copied(buffers[0]));
    else {
      if (message.kind === "trouble" && message.client === client) toCome.delete(message.number);
      for (const view of views) view.told(message, buffers);
    }
  }
  model.on("msg:custom", onMessage);

  const watch = setInterval(() => {
    if (toCome.size > 0 && performance.now() - lastHeard > SILENCE) {
      setConnected(false);
      toCome.clear(); // whatever was under way is lost or late; try again
      lastHeard = performance.now();
      ask(0);
    }
  }, 500);

  const touch = () => { lastMoved = performance.now(); pump(); };
  // What a page's views can do with their hands.
  const hand = {
    gesture() { gestures++; }, // the moves that follow are undone together
    move(name, value) { moved[name] = value; movedAt[name] = Infinity; touch(); },
    hands(name, value) { hands.set(`${name} ${value.slice(0, 2)}`, [name, value]); touch(); },
    act(action) {
      const seek = (a) => a && a[0] === "seek";
      if (seek(action)) { movedAt.seek = Infinity; if (seek(actions[actions.length - 1])) actions.pop(); } // the last one counts
      actions.push(action);
      touch();
    },
    toggle([layer, k]) {
      const first = scene.graph.nodes.slice(1, layer).reduce((a, b) => a + b, 0);
      hand.hands("switch", [layer - 1, k, frame.graph.off.includes(first + k)]);
    },
    look(node) { if (String(node) !== String(looked)) { looked = node; repaint(); pump(); } },
    looked: () => looked,
    // the card belongs to the node that the last picture told of
    pointing: () => frame.hover && frame.hover.node && String(frame.hover.node) === String(looked),
    hold(now) { held = now; touch(); },
    locked: (name) => scene !== null && (scene.controls.lock.includes(name) || scene.controls.hide.includes(name)),
  };

  return {
    hand,
    add(view) { views.add(view); if (scene && frame) { view.remember(scene, frame); repaint(); } else ask(0); pump(); },
    remove(view) { views.delete(view); },
    stop() { model.off("msg:custom", onMessage); clearInterval(watch); clearTimeout(timer); cancelAnimationFrame(raf); },
  };
}

function makePage(el, engine) {
  const part = (name, role) => {
    const made = document.createElement("div");
    made.className = `sl-${name}`;
    if (role) made.setAttribute("role", role);
    return made;
  };
  const { hand } = engine, run = makeRun();
  let last = null; // scene and frame that were drawn
  const root = part("root", "group"), heading = part("heading"), transport = part("transport", "toolbar"), settings = part("settings"), middle = part("middle"), pictures = part("pictures"), time = part("time");
  root.setAttribute("aria-label", "spectral playground");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's command keys must not act on the cell while a control has the focus
  root.addEventListener("keydown", (event) => {
    event.stopPropagation(); // nor Notebook 7's
    const what = event.shiftKey ? "redo" : "undo", typing = ["text", "number"].includes(event.target.type);
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || typing) return;
    event.preventDefault();
    if (!last || !last[1].controls[what] || hand.locked("undo")) return;
    hand.gesture();
    hand.act(what);
  });
  transport.setAttribute("aria-label", "training");
  const line = part("words"), spoken = part("spoken", "status"), alarm = part("alarm", "alert");
  line.setAttribute("aria-hidden", "true"); // the spoken line below says the same, less often
  heading.append(document.createElement("strong"), document.createElement("span"));
  root.append(heading, transport, settings, middle, pictures, time, line, spoken, alarm);
  for (const kind of ["pointerdown", "focusin"]) root.addEventListener(kind, () => hand.gesture(), { capture: true });
  el.classList.add("sl-host");
  el.replaceChildren(root);

  let spokenAt = -1e9, writtenAt = -1e9, message = "", trouble = "", offline = false;
  const sayAlarm = () => {
    const text = offline ? "The kernel is not connected, or busy. If it was restarted, run the cell again." : message || trouble;
    if (alarm.textContent !== text) alarm.textContent = text;
  };
  const words = (text, problem, playing) => {
    const now = performance.now();
    if (!playing || now - writtenAt > 200) { line.textContent = text; writtenAt = now; } // nobody reads faster
    if (now - spokenAt > (playing ? 10_000 : 1000) && spoken.textContent !== text) { spoken.textContent = text; spokenAt = now; }
    message = problem;
    sayAlarm();
  };
  const controls = makeControls(settings, transport, heading, hand, words), dialog = makeDialog(root, hand);
  const graph = makeGraph(middle, hand), spectrum = makeSpectrum(pictures, hand), fit = makeFit(pictures), curves = makeCurves(pictures, run);
  const timeline = makeTimeline(time, hand, run), drawn = [graph, spectrum, fit, curves, timeline];
  // A guided exercise may hide whole pictures.
  const parts = { graph: [middle], spectrum: [pictures.children[0]], fit: [pictures.children[1]], curves: [pictures.children[2], pictures.children[3]], time: [time] };
  let known = null;
  const hideParts = (scene) => {
    if (known === scene) return;
    known = scene;
    for (const [name, boxes] of Object.entries(parts)) for (const box of boxes) box.hidden = scene.controls.hide.includes(name);
  };
  let frames = 0, resting = 0;

  const drawAll = () => { if (last) for (const view of drawn) view.draw(...last); };
  const resized = new ResizeObserver(() => drawAll());
  resized.observe(root);
  // A change of theme: JupyterLab loads the new colours a moment after it has named the theme.
  const themed = new MutationObserver(() => { for (const wait of [600, 2000]) setTimeout(drawAll, wait); });
  themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name"] });

  return {
    remember: (scene, frame) => scene && run.remember(scene, frame),
    told(message, buffers) {
      if (message.kind === "real") dialog.show(message, copied(buffers[0]));
      else if (message.kind === "trouble") { trouble = message.words; sayAlarm(); }
      else if (message.words) line.textContent = message.words;
    },
    connection(now) { offline = !now; root.classList.toggle("sl-offline", offline); sayAlarm(); },
    draw(scene, frame, busy) {
      last = [scene, frame];
      hideParts(scene);
      controls.draw(scene, frame, busy);
      timeline.follow(frame, busy);
      const { playing } = frame;
      drawn.forEach((view, i) => { if (!playing || frames % view.every === i % view.every) view.draw(scene, frame); });
      if (trouble && !playing) { trouble = ""; sayAlarm(); } // all was drawn
      // After the last picture of a run the views that were left out catch up.
      clearTimeout(resting);
      resting = setTimeout(drawAll, 200);
      frames++;
      const { alpha, rho } = frame.controls.values, { now } = frame.curves, step = now[0], norm = now[scene.curves.columns.indexOf("norm")];
      Object.assign(root.dataset, { frames, step, norm, alpha, rho }); // for whoever watches from outside
    },
    stop() { resized.disconnect(); themed.disconnect(); clearTimeout(resting); for (const view of drawn) view.stop(); },
  };
}

function initialize({ model }) {
  const engine = makeEngine(model);
  engines.set(model.get("_key"), engine);
  return () => { engine.stop(); engines.delete(model.get("_key")); };
}

function render({ model, el }) {
  const engine = engines.get(model.get("_key")), page = makePage(el, engine);
  engine.add(page);
  return () => { engine.remove(page); page.stop(); };
}

export default { initialize, render };
