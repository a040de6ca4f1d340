// The browser's half of the playground: the clock that asks the kernel for pictures, and the views of each page.
// A question is {number, client, build, train, set, action}.  It is answered by `train` slices of training with one
// "frame" after each, or by one frame if nothing is to be trained, preceded by a "scene" if the network was built anew.

const SLICES = 3; // slices a question: every message costs the server as much as a small picture
const MOVING = 400; // ms after a move in which a question asks for one slice only, so that the next move is answered soon
const AHEAD = 1; // ask for more when only so many pictures are still to come: the kernel is never left waiting
const UNPAINTED = 2; // but not while so many pictures wait to be painted: a slow or hidden page stops the work
const INTERVAL = 1000 / 30; // at most so many pictures a second
const SILENCE = 3000; // ms without an answer before the page says so
const engines = new Map();

function readArrays(contents, view) {
  const TYPES = { f4: Float32Array, i2: Int16Array, u2: Uint16Array };
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer; // buffers come unaligned: copy
  const arrays = {};
  let at = 0;
  for (const [name, type, length] of contents) {
    arrays[name] = new TYPES[type](bytes, at, length);
    at += Math.ceil(arrays[name].byteLength / 4) * 4;
  }
  return arrays;
}

// One engine a model; it may have no view, one, or several.
function makeEngine(model) {
  const client = Math.random().toString(36).slice(2);
  const views = new Set();
  let scene = null, frame = null, dirty = false, raf = 0, timer = 0;
  let number = 0, answered = 0, unpainted = 0, nextAsk = 0, lastMoved = -1e9, lastHeard = performance.now();
  let moved = {}, actions = [], moving = 0, connected = true;
  const toCome = new Map(); // number of a question → pictures it will still bring
  const movedAt = {}; // setting → number of the question that carried it, Infinity while it waits

  const busy = (name) => movedAt[name] > answered;
  const expected = () => [...toCome.values()].reduce((a, b) => a + b, 0);

  function ask(train, set = {}, action = undefined) {
    number++;
    for (const name of Object.keys(set)) movedAt[name] = number;
    if (!toCome.size) lastHeard = performance.now();
    toCome.set(number, Math.max(1, train));
    try {
      model.send({ number, client, build: scene ? scene.build : null, train, set, action });
    } catch (error) {
      setConnected(false);
    }
  }

  // Ask as often as it makes sense: for moves at once, one question at a time; for training ahead of the last picture.
  function pump() {
    clearTimeout(timer);
    if (!toCome.has(moving) && (actions.length > 0 || Object.keys(moved).length > 0)) {
      const set = moved;
      moved = {};
      ask(0, set, actions.shift());
      moving = number;
    }
    if (frame === null || !frame.playing || views.size === 0 || expected() > AHEAD || unpainted >= UNPAINTED) return;
    const now = performance.now(), slices = now - lastMoved < MOVING ? 1 : SLICES;
    if (now < nextAsk) { timer = setTimeout(pump, nextAsk - now); return; }
    nextAsk = now + slices * INTERVAL;
    ask(slices);
  }

  function paint() {
    raf = 0;
    unpainted = 0;
    if (dirty && scene && frame && frame.build === scene.build) for (const view of views) view.draw(scene, frame, busy);
    dirty = false;
    pump();
  }

  function setConnected(now) {
    if (connected === now) return;
    connected = now;
    for (const view of views) view.connection(now);
  }

  function onMessage(message, buffers) {
    lastHeard = performance.now();
    setConnected(true);
    const own = { ...message, arrays: readArrays(message.contents, buffers[0]) };
    if (message.kind === "scene") { scene = own; return; }
    frame = own;
    if (message.client === client && toCome.has(message.number)) {
      answered = Math.max(answered, message.number);
      if (message.done) toCome.delete(message.number);
      else toCome.set(message.number, toCome.get(message.number) - 1);
    }
    unpainted++;
    for (const view of views) view.remember(scene, frame);
    dirty = true;
    if (!raf) raf = requestAnimationFrame(paint);
    pump();
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

  return {
    move(name, value) { moved[name] = value; movedAt[name] = Infinity; lastMoved = performance.now(); pump(); },
    act(action) { actions.push(action); lastMoved = performance.now(); pump(); },
    add(view) { views.add(view); if (scene && frame) { view.remember(scene, frame); dirty = true; raf ||= requestAnimationFrame(paint); } else ask(0); pump(); },
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
  const root = part("root", "group"), transport = part("transport", "toolbar"), settings = part("settings"), middle = part("middle"), pictures = part("pictures");
  root.setAttribute("aria-label", "spectral playground");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's command keys must not act on the cell while a control has the focus
  root.addEventListener("keydown", (event) => event.stopPropagation()); // nor Notebook 7's
  transport.setAttribute("aria-label", "training");
  const line = part("words"), spoken = part("spoken", "status"), alarm = part("alarm", "alert");
  line.setAttribute("aria-hidden", "true"); // the spoken line below says the same, less often
  root.append(transport, settings, middle, pictures, line, spoken, alarm);
  el.classList.add("sl-host");
  el.replaceChildren(root);

  let spokenAt = -1e9, writtenAt = -1e9, message = "";
  const sayAlarm = (offline) => { const text = offline ? "The kernel is not connected, or busy. If it was restarted, run the cell again." : message; if (alarm.textContent !== text) alarm.textContent = text; };
  let offline = false;
  const words = (text, problem, playing) => {
    const now = performance.now();
    if (!playing || now - writtenAt > 200) { line.textContent = text; writtenAt = now; } // nobody reads faster
    if (now - spokenAt > 4000) { spoken.textContent = text; spokenAt = now; }
    message = problem;
    sayAlarm(offline);
  };
  const controls = makeControls(settings, transport, engine.move, engine.act, words);
  const graph = makeGraph(middle), spectrum = makeSpectrum(pictures), fit = makeFit(pictures), curves = makeCurves(pictures);
  const drawn = [graph, spectrum, fit, curves];
  let frames = 0, resting = 0, last = null;

  const drawAll = () => { if (last) for (const view of drawn) view.draw(...last); };
  const resized = new ResizeObserver(() => drawAll());
  resized.observe(root);
  // A change of theme: JupyterLab loads the new colours a moment after it has named the theme.
  const themed = new MutationObserver(() => { for (const wait of [600, 2000]) setTimeout(drawAll, wait); });
  themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name"] });

  return {
    remember: (scene, frame) => scene && curves.remember(scene, frame),
    connection(now) { offline = !now; root.classList.toggle("sl-offline", offline); sayAlarm(offline); },
    draw(scene, frame, busy) {
      last = [scene, frame];
      controls.draw(scene, frame, busy);
      const { playing } = frame;
      drawn.forEach((view, i) => { if (!playing || frames % view.every === i % view.every) view.draw(scene, frame); });
      // After the last picture of a run the views that were left out catch up.
      clearTimeout(resting);
      resting = setTimeout(drawAll, 200);
      frames++;
      const { alpha, rho } = frame.controls.values, [step, , , , norm] = frame.curves.now;
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
