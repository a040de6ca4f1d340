// What is known about the node under the hand: a small card beside it, with a picture of what the node sees.

export function makeHover(parent) {
  const card = document.createElement("div"), patch = document.createElement("canvas"), text = document.createElement("div");
  card.className = "sl-hover";
  card.hidden = true;
  card.setAttribute("aria-hidden", "true"); // its numbers move all the time; what is spoken changes with the node only
  card.append(text, patch);
  const spoken = document.createElement("div");
  spoken.className = "sl-spoken";
  spoken.setAttribute("role", "status");
  parent.append(card, spoken);
  let said = "";

  const line = (className, content) => Object.assign(document.createElement("div"), { className, textContent: content });

  function drawSeen(scene, frame) {
    const { sees, scale } = frame.hover, values = frame.arrays["hover.picture"];
    patch.hidden = !sees;
    if (!sees) return;
    const numbers = Float32Array.from(values, (v) => v * scale);
    if (sees === "line") {
      patch.width = 120; patch.height = 60;
      const pen = patch.getContext("2d"), largest = Math.max(1e-9, ...numbers.map(Math.abs));
      pen.strokeStyle = scene.colours.positive;
      pen.lineWidth = 2;
      pen.beginPath();
      numbers.forEach((v, k) => pen.lineTo(k / (numbers.length - 1) * 120, 30 - v / largest * 27));
      pen.stroke();
      return;
    }
    const [height, width] = sees === "image" ? scene.fit.image : [scene.fit.grid, scene.fit.grid];
    paintPatch(patch, numbers, width, height, Math.max(1e-9, ...numbers.map(Math.abs)), scene.colours);
  }

  // `place`: where the node stands in the picture, and the picture's size.
  function draw(scene, frame, place) {
    const told = frame.hover;
    card.hidden = !told || !told.node || !place;
    if (card.hidden) return;
    const now = `${told.name}${told.on === false ? ", off" : ""}`;
    if (now !== said) {
      said = now;
      spoken.textContent = told.eigenvalue === undefined ? now : `${now}, eigenvalue ${told.eigenvalue.toPrecision(2)}, relevance ${told.strength.toPrecision(2)}`;
    }
    const lines = [line("sl-hover-name", told.name + (told.on === false ? ", switched off" : ""))];
    if (told.eigenvalue !== undefined) {
      lines.push(line("", `λ = ${told.eigenvalue.toPrecision(3)}`), line("", `relevance ${told.strength.toPrecision(3)}`));
    }
    for (const [name, weight] of told.links) lines.push(line("", `${name}  ${weight >= 0 ? "+" : "−"}${Math.abs(weight).toPrecision(2)}`));
    if (told.sees) lines.push(line("sl-hover-sees", told.sees === "image" ? "looks for" : told.node[0] === 0 ? "carries" : "answers"));
    text.replaceChildren(...lines);
    drawSeen(scene, frame);
    const wide = card.offsetWidth, high = card.offsetHeight, before = place.x > 0.55 * place.w;
    card.style.left = `${Math.max(0, Math.min(place.w - wide, before ? place.x - wide - 18 : place.x + 18))}px`;
    card.style.top = `${Math.max(0, Math.min(place.h - high, place.y - high / 2))}px`;
  }
  return { draw };
}
