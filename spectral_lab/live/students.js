// The pictures of a lesson: networks whose nodes light up, histograms made of nodes, errors, the transition, and the cores.
// `look` holds the theme: {ink, faint, paper, of(kind)}; `kept` is a Set of nodes that stay.

const ALIKE = 0.95; // cosine from which a student's node counts as one of the teacher's
const FONT = "13px system-ui, sans-serif", SMALL_FONT = "12px system-ui, sans-serif";

const isCore = (student, n) => student.shares[n] > student.threshold;
const isFound = (student, n) => isCore(student, n) && student.cosine[n] >= ALIKE;

// -- graphs --------------------------------------------------------------------------------------------------------------

// Places of n nodes: one column, or a block of several, in the box from x0 to x1 and y0 to y1.
export function placeNodes(n, x0, x1, y0, y1) {
  const w = x1 - x0, h = y1 - y0;
  const columns = n <= 5 ? 1 : Math.max(2, Math.ceil(Math.sqrt(n * w / h))), rows = Math.ceil(n / columns);
  const gap = Math.min(h / rows, columns > 1 ? w / (columns - 1) : 1e9, 44);
  const middle = (y0 + y1) / 2, places = [];
  for (let k = 0; k < n; k++) {
    const c = Math.floor(k / rows), r = k % rows, x = columns === 1 ? (x0 + x1) / 2 : x0 + c * w / (columns - 1);
    places.push([x, middle + (r - (Math.min(rows, n) - 1) / 2) * gap]);
  }
  return { places, radius: Math.min(0.44 * gap, 15) };
}

// Links as dark as they are strong, and as their ends are (`shown`, from 0 to 1); the fainter the more there are.
function drawLinks(pen, look, links, from, to, shown) {
  const drawn = links.flatMap((row, i) => row.map((weight, j) => [i, j, Math.abs(weight) / 100, shown(i, j)]))
    .filter(([, , strength, light]) => strength > 0.04 && light > 0.03);
  const each = Math.min(0.8, Math.max(0.2, 60 / drawn.length));
  pen.strokeStyle = look.ink;
  for (const [i, j, strength, light] of drawn) {
    pen.globalAlpha = each * light * Math.min(1, 0.1 + strength);
    pen.lineWidth = 0.4 + 1.8 * strength;
    pen.beginPath();
    pen.moveTo(...from[j]);
    pen.lineTo(...to[i]);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

function disc(pen, x, y, r) { pen.beginPath(); pen.arc(x, y, r, 0, 2 * Math.PI); }

function dots(pen, look, places, r) {
  for (const [x, y] of places) {
    disc(pen, x, y, r);
    pen.fillStyle = look.paper;
    pen.fill();
    pen.strokeStyle = look.ink;
    pen.lineWidth = 1.2;
    pen.stroke();
  }
}

function number(pen, text, x, y, r, colour) {
  pen.font = `700 ${Math.max(10, Math.round(1.15 * r))}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillStyle = colour;
  pen.fillText(text, x, y + 0.5);
}

// Input, the h nodes, second layer.  A node of the core is filled and bears the number of the teacher's node that it equals;
// the others are hollow, and what is pruned is crossed out.
export function drawStudent(canvas, look, student, sizes, kept) {
  const size = canvas.begin();
  if (!size) return;
  const { pen } = canvas, { w, h } = size, tint = look.of(student.kind), n = student.shares.length;
  const inputs = spread(sizes[0], 9, h), outputs = spread(sizes[2], w - 9, h);
  const hidden = placeNodes(n, 0.2 * w, 0.8 * w, 8, h - 8);
  const light = (m) => (kept.has(m) ? (student.shares[m] < 0.02 ? 0 : 0.25 + 0.75 * student.shares[m]) : 0);
  drawLinks(pen, look, student.links[0], inputs, hidden.places, (i) => light(i));
  drawLinks(pen, look, student.links[1], hidden.places, outputs, (_, j) => light(j));
  dots(pen, look, inputs, 3.5);
  dots(pen, look, outputs, 3.5);
  hidden.places.forEach(([x, y], m) => {
    const labelled = isFound(student, m) && hidden.radius >= 3, grown = hidden.radius * (0.3 + 0.7 * Math.sqrt(student.shares[m]));
    const r = Math.max(labelled ? 8 : 2.2, grown);
    if (!kept.has(m)) {
      pen.strokeStyle = look.ink;
      pen.globalAlpha = 0.45;
      pen.lineWidth = 1.2;
      const a = Math.min(r, 4);
      pen.beginPath(); pen.moveTo(x - a, y - a); pen.lineTo(x + a, y + a); pen.moveTo(x - a, y + a); pen.lineTo(x + a, y - a); pen.stroke();
      pen.globalAlpha = 1;
      return;
    }
    disc(pen, x, y, r);
    pen.fillStyle = isCore(student, m) ? tint : look.paper;
    pen.fill();
    pen.strokeStyle = isCore(student, m) ? look.paper : tint;
    pen.lineWidth = isCore(student, m) ? 1 : 1.4;
    pen.stroke();
    if (labelled) number(pen, String(student.like[m] + 1), x, y, r, look.onTint);
  });
}

const spread = (n, x, h) => Array.from({ length: n }, (_, k) => [x, h / 2 + (k - (n - 1) / 2) * Math.min(26, (h - 14) / n)]);

// The teacher; the left half of a node is filled when the spectral student has it, the right half when the direct one has.
export function drawTeacher(canvas, look, teacher, students, kept) {
  const size = canvas.begin();
  if (!size) return;
  const { pen } = canvas, { w, h } = size, { sizes, links, shares } = teacher;
  const inputs = spread(sizes[0], 9, h), outputs = spread(sizes[2], w - 9, h), hidden = placeNodes(sizes[1], (sizes[1] > 12 ? 0.22 : 0.32) * w, (sizes[1] > 12 ? 0.78 : 0.68) * w, 8, h - 8);
  drawLinks(pen, look, links[0], inputs, hidden.places, (i) => 0.25 + 0.75 * shares[i]);
  drawLinks(pen, look, links[1], hidden.places, outputs, (_, j) => 0.25 + 0.75 * shares[j]);
  dots(pen, look, inputs, 3.5);
  dots(pen, look, outputs, 3.5);
  const found = students.map((student, k) => foundBy(student, kept[k]));
  hidden.places.forEach(([x, y], m) => {
    const r = Math.max(hidden.radius, 5);
    disc(pen, x, y, r);
    pen.fillStyle = look.paper;
    pen.fill();
    students.forEach((student, k) => {
      if (!found[k].has(m)) return;
      pen.beginPath();
      pen.arc(x, y, r, k ? -Math.PI / 2 : Math.PI / 2, k ? Math.PI / 2 : 1.5 * Math.PI);
      pen.fillStyle = look.of(student.kind);
      pen.fill();
    });
    disc(pen, x, y, r);
    pen.strokeStyle = look.ink;
    pen.lineWidth = 1.6;
    pen.stroke();
    if (hidden.radius < 6) return;
    disc(pen, x, y, 0.62 * r);
    pen.fillStyle = look.paper;
    pen.fill();
    number(pen, String(m + 1), x, y, 0.8 * r, look.ink);
  });
}

// The teacher's nodes that a kept node of the student's core equals.
export function foundBy(student, kept) {
  return new Set(student.like.filter((_, n) => kept.has(n) && isFound(student, n)));
}

// -- histogram -----------------------------------------------------------------------------------------------------------

// Stacks of dots, each of them a node, over R / max R; where a stack is too high its dots move closer together.
export function drawHistogram(canvas, look, student, kept) {
  const size = canvas.begin();
  if (!size) return;
  const { pen } = canvas, tint = look.of(student.kind), bins = student.counts.length;
  const left = 10, right = size.w - 10, top = 30, bottom = size.h - 20, wide = (right - left) / bins;
  const x = (share) => left + share * (right - left), stacks = student.counts.map(() => []);
  student.shares.forEach((share, n) => stacks[Math.min(bins - 1, Math.floor(share * bins))].push(n));
  const r = Math.min(5, 0.42 * wide);
  stacks.forEach((nodes, k) => {
    if (!nodes.length) return;
    const gap = Math.min(2 * r + 1, (bottom - top - 2 * r) / Math.max(1, nodes.length - 1)), high = (nodes.length - 1) * gap + 2 * r + 2;
    pen.globalAlpha = 0.18;
    pen.fillStyle = tint;
    pen.fillRect(left + k * wide + 0.5, bottom - high, wide - 1, high);
    pen.globalAlpha = 1;
    nodes.sort((a, b) => Number(kept.has(a)) - Number(kept.has(b)));
    nodes.forEach((n, m) => {
      const at = [left + (k + 0.5) * wide, bottom - 1 - r - m * gap];
      disc(pen, ...at, r);
      pen.fillStyle = kept.has(n) ? tint : look.paper;
      pen.fill();
      pen.strokeStyle = kept.has(n) ? look.paper : look.ink;
      pen.lineWidth = 0.8;
      pen.globalAlpha = kept.has(n) ? 1 : 0.6;
      pen.stroke();
      pen.globalAlpha = 1;
    });
    if (gap > 2 * r) return; // a stack whose nodes can be counted
    pen.font = SMALL_FONT;
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    pen.fillStyle = look.ink;
    pen.fillText(String(nodes.length), left + (k + 0.5) * wide, bottom - high - 1);
  });
  pen.strokeStyle = look.ink;
  pen.lineWidth = 1;
  pen.beginPath(); pen.moveTo(left, bottom); pen.lineTo(right, bottom); pen.stroke();
  pen.setLineDash([5, 4]);
  pen.beginPath(); pen.moveTo(x(student.threshold), 4); pen.lineTo(x(student.threshold), bottom); pen.stroke();
  pen.setLineDash([]);
  pen.font = FONT;
  pen.fillStyle = look.ink;
  pen.textBaseline = "top";
  pen.textAlign = "left";
  pen.fillText("core →", x(student.threshold) + 5, 2);
  pen.textBaseline = "alphabetic";
  pen.fillText("0", left, size.h - 5);
  pen.textAlign = "right";
  pen.fillText("1", right, size.h - 5);
  pen.textAlign = "center";
  pen.fillText("relevance R / max R", (left + right) / 2, size.h - 5);
}

// -- curves --------------------------------------------------------------------------------------------------------------

// A frame with a logarithmic axis of errors; returns the places, or null while there is no room.
function errorsFrame(canvas, look, values, guess) {
  const size = canvas.begin();
  if (!size) return null;
  const { pen } = canvas, left = 42, right = size.w - 12, top = 8, bottom = size.h - 22;
  const positive = [...values, guess].filter((v) => v > 0);
  const low = Math.max(-12, Math.floor(Math.log10(Math.min(...positive)) - 0.15)), high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive)) - 0.05));
  const y = logScale(low, high, top, bottom);
  drawLogAxis(pen, { ink: look.ink, faint: look.ink }, y, low, high, left, right, high - low > 5 ? 2 : 1);
  pen.font = SMALL_FONT;
  pen.strokeStyle = look.ink;
  pen.lineWidth = 1;
  pen.setLineDash([2, 4]);
  pen.beginPath(); pen.moveTo(left, y(guess)); pen.lineTo(right, y(guess)); pen.stroke();
  pen.setLineDash([]);
  pen.fillStyle = look.ink;
  pen.textAlign = "right";
  pen.textBaseline = y(guess) < top + 16 ? "top" : "bottom";
  pen.fillText("guessing the mean", right - 26, y(guess) + (y(guess) < top + 16 ? 3 : -3));
  return { pen, size, left, right, top, bottom, y };
}

function marker(pen, kind, x, y, r, hollow = false) {
  pen.beginPath();
  if (kind === "direct") { pen.moveTo(x, y - r); pen.lineTo(x + r, y); pen.lineTo(x, y + r); pen.lineTo(x - r, y); pen.closePath(); }
  else pen.arc(x, y, 0.9 * r, 0, 2 * Math.PI);
  if (hollow) pen.stroke(); else pen.fill();
}

export function drawErrors(canvas, look, picture, rows) {
  const values = rows.flatMap((row) => [row[1], row[2]]), frame = errorsFrame(canvas, look, values, picture.guess);
  if (!frame) return;
  const { pen, size, left, right, y } = frame, x = (step) => left + step / picture.end * (right - left), last = rows[rows.length - 1];
  picture.students.forEach(({ kind }, k) => {
    pen.strokeStyle = pen.fillStyle = look.of(kind);
    pen.lineWidth = 2.2;
    pen.setLineDash(k ? [7, 3] : []);
    pen.beginPath();
    for (const row of rows) pen.lineTo(x(row[0]), y(row[1 + k]));
    pen.stroke();
    pen.setLineDash([]);
    marker(pen, kind, x(last[0]), y(last[1 + k]), 6);
  });
  pen.font = FONT;
  pen.fillStyle = look.ink;
  pen.textBaseline = "alphabetic";
  pen.textAlign = "right";
  pen.fillText(`step ${last[0].toLocaleString("en")} of ${picture.end.toLocaleString("en")}`, right, size.h - 5);
}

export function drawTransition(canvas, look, picture, kept) {
  const n = picture.values.h, sizes = picture.teacher.sizes, values = picture.students.flatMap(({ curve }) => curve);
  const frame = errorsFrame(canvas, look, values, picture.guess);
  if (!frame) return;
  const { pen, size, left, right, top, bottom, y } = frame, x = (nodes) => left + nodes / n * (right - left);
  pen.strokeStyle = look.ink;
  pen.fillStyle = look.ink;
  pen.lineWidth = 1.4;
  pen.font = FONT;
  if (sizes[1] <= n) {
    pen.setLineDash([5, 4]);
    pen.beginPath(); pen.moveTo(x(sizes[1]), top); pen.lineTo(x(sizes[1]), bottom); pen.stroke();
    pen.setLineDash([]);
    const end = sizes[1] > 0.75 * n;
    pen.textAlign = end ? "right" : "left";
    pen.textBaseline = "alphabetic";
    pen.fillText("the teacher's size", x(sizes[1]) + (end ? -5 : 5), top + 13);
  }
  pen.globalAlpha = 0.35;
  pen.lineWidth = 5;
  pen.strokeStyle = look.ink;
  pen.beginPath(); pen.moveTo(x(kept), top); pen.lineTo(x(kept), bottom); pen.stroke();
  pen.globalAlpha = 1;
  for (const { kind, curve } of picture.students) {
    pen.strokeStyle = pen.fillStyle = look.of(kind);
    pen.lineWidth = 2;
    pen.setLineDash(kind === "direct" ? [7, 3] : []);
    pen.beginPath();
    curve.forEach((value, k) => pen.lineTo(x(k), y(value)));
    pen.stroke();
    pen.setLineDash([]);
    if (n <= 60) curve.forEach((value, k) => marker(pen, kind, x(k), y(value), 2.6));
    marker(pen, kind, x(kept), y(curve[kept]), 8);
  }
  pen.font = FONT;
  pen.fillStyle = look.ink;
  pen.textBaseline = "alphabetic";
  pen.textAlign = "center";
  pen.fillText("0", left, size.h - 5);
  pen.fillText(String(n), right - 6, size.h - 5);
  pen.fillText("nodes that stay", (left + right) / 2, size.h - 5);
  pen.textAlign = "right";
}

// Former lessons as points that stay, hollow where one was broken off; the lesson of now is the large one.
export function drawCores(canvas, look, picture) {
  const size = canvas.begin();
  if (!size) return;
  const { pen } = canvas, left = 34, right = size.w - 12, top = 10, bottom = size.h - 20, n = picture.teacher.sizes[1];
  const now = [picture.values.h, true, ...picture.students.map(({ core }) => core)], points = [...picture.memory, now];
  const most = Math.max(2 * n, ...points.map(([h]) => h)), x = (h) => left + h / most * (right - left), y = (core) => bottom - core / most * (bottom - top);
  pen.lineWidth = 1;
  pen.font = FONT;
  pen.fillStyle = pen.strokeStyle = look.ink;
  pen.beginPath(); pen.moveTo(left, top); pen.lineTo(left, bottom); pen.lineTo(right, bottom); pen.stroke();
  pen.setLineDash([2, 4]);
  pen.beginPath(); pen.moveTo(left, bottom); pen.lineTo(right, top); pen.stroke();
  pen.setLineDash([5, 4]);
  pen.beginPath(); pen.moveTo(left, y(n)); pen.lineTo(right, y(n)); pen.stroke();
  pen.setLineDash([]);
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  for (const tick of new Set([n, most])) pen.fillText(String(tick), left - 5, y(tick));
  pen.textBaseline = "alphabetic";
  pen.fillText(String(most), right, size.h - 4);
  pen.textAlign = "left";
  pen.fillText("0", left, size.h - 4);
  pen.textAlign = "center";
  pen.fillText("h", (left + right) / 2, size.h - 4);
  points.forEach(([h, finished, ...cores], k) => [1, 0].forEach((which) => {
    const { kind } = picture.students[which], current = k === points.length - 1;
    pen.fillStyle = pen.strokeStyle = look.of(kind);
    pen.globalAlpha = current ? 1 : 0.8;
    const r = current ? 7.5 : 5.5;
    pen.lineWidth = 1.6;
    marker(pen, kind, x(h), y(cores[which]), r, !finished);
  }));
  pen.globalAlpha = 1;
}
