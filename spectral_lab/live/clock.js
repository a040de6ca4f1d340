// The browser as the clock of a widget: it sends what a hand did, asks for the next slice of training as pictures are painted,
// collects the rows that come back, and says when the kernel is silent.  The kernel's half is pulled.py.  A question is
// {number, client, build, have, train, set, action}, and what `more` adds; the answer is a picture with the rows from `have` on,
// and with `buffers` if numbers came in binary.
// Before a long one the kernel says what it is at, in messages {kind: "alive", words}.

export function makeClock(model, root, paint, more = () => ({})) {
  const AT_ONCE = 2; // questions under way: the kernel is never left waiting, and nothing queues up
  const INTERVAL = 1000 / 12; // ms a picture at least: training is to be watched, and other cells want the kernel too
  const SILENCE = 4000; // ms without an answer before the page says so
  const client = Math.random().toString(36).slice(2), asked = new Set(), sentWith = {};
  let number = 0, answered = 0, carried = 0, picture = null, rows = [], moved = {}, action = null, offline = false, busy = "";
  let raf = 0, timer = 0, nextAsk = 0, painted = true, lastHeard = performance.now();

  // What a hand did and no question has carried yet.
  const handed = () => action !== null || Object.keys(moved).length > 0;

  function ask(train) {
    number++;
    if (!asked.size) lastHeard = performance.now();
    asked.add(number);
    try {
      model.send({ number, client, build: picture ? picture.build : null, have: rows.length, train, set: moved, action, ...more() });
      for (const name of Object.keys(moved)) sentWith[name] = number;
      if (handed()) carried = number;
      moved = {};
      action = null;
    } catch (error) {
      offline = true;
      repaint();
    }
  }

  // What a hand did goes at once, in one question at a time; training is asked for as pictures are painted.
  function pump() {
    const waiting = handed(), playing = picture !== null && picture.playing;
    root.dataset.waiting = waiting || carried > answered || !painted; // for whoever watches from outside
    clearTimeout(timer);
    if (waiting && asked.size === 0) ask(false);
    if (waiting || !playing || !painted || asked.size >= AT_ONCE) return;
    const now = performance.now();
    if (now < nextAsk) { timer = setTimeout(pump, nextAsk - now); return; }
    nextAsk = now + INTERVAL;
    ask(true);
  }
  const repaint = () => { raf ||= requestAnimationFrame(() => { raf = 0; painted = true; if (picture) paint(picture, rows, offline); pump(); }); };

  function onMessage(message, buffers) {
    if (message.kind !== "picture" && message.kind !== "alive") return;
    lastHeard = performance.now();
    offline = false;
    busy = message.kind === "alive" ? message.words : "";
    if (busy) { repaint(); return; }
    if (message.client === client) { asked.delete(message.number); answered = Math.max(answered, message.number); }
    const known = picture && picture.build === message.build ? rows.length : 0;
    if (message.from <= known && (!picture || picture.build <= message.build)) {
      rows = (message.from ? rows.slice(0, message.from) : []).concat(message.rows);
      picture = Object.assign(message, { buffers });
    }
    painted = false;
    repaint();
    pump();
  }
  model.on("msg:custom", onMessage);
  const watch = setInterval(() => {
    if (!asked.size || performance.now() - lastHeard < SILENCE) return;
    offline = true;
    busy = "";
    answered = number;
    asked.clear(); // whatever was under way is lost or late; try again
    repaint();
    ask(false);
  }, 500);
  const resized = new ResizeObserver(repaint);
  resized.observe(root);
  // A change of theme: JupyterLab loads the new colours a moment after it has named the theme.
  const themed = new MutationObserver(() => { for (const wait of [600, 2000]) setTimeout(repaint, wait); });
  themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name"] });
  ask(false);
  return {
    client,
    repaint,
    press(name) { action = name; pump(); },
    move(name, value) { moved[name] = value; pump(); repaint(); },
    again() { if (!asked.size) ask(false); }, // a picture alone, for a page that lacks something
    busy: () => busy, // what the kernel is at, instead of answering
    waiting: (name) => moved[name], // a move that has not been sent yet
    ahead: (name) => name in moved || sentWith[name] > answered, // the hand is ahead of what the kernel has told
    stop() {
      model.off("msg:custom", onMessage);
      clearInterval(watch);
      clearTimeout(timer);
      cancelAnimationFrame(raf);
      resized.disconnect();
      themed.disconnect();
    },
  };
}

// Red, green and blue from 0 to 255 of a colour as the theme or Python writes it.
export function channels(colour) {
  if (!colour.startsWith("#")) return (colour.match(/\d+/g) || [255, 255, 255]).slice(0, 3).map(Number);
  const digits = colour.length === 4 ? [...colour.slice(1)].map((c) => c + c) : [1, 3, 5].map((k) => colour.slice(k, k + 2));
  return digits.map((pair) => parseInt(pair, 16));
}

export const isDark = (paper) => channels(paper).reduce((a, b) => a + b) < 384;

// The same colour a little lighter, for drawing on black.
export const lighter = (colour) => `rgb(${channels(colour).map((v) => Math.round(v + 0.38 * (255 - v)))})`;
