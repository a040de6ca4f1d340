// The input, and the two sums that meet at one node of layer 2 (PRE Eq. 3).
export function makeSignal(parent, hand) {
  const choice = html("div", { className: "sl-choice-row" }), inputs = html("div", { className: "sl-inputs" }), bars = html("div", { className: "sl-bars" });
  parent.append(html("div", { className: "sl-signal-left" }, html("div", { className: "sl-title", textContent: "input x" }), inputs), html("div", { className: "sl-signal-right" }, choice, bars));
  choice.setAttribute("role", "group");
  choice.setAttribute("aria-label", "node of layer 2");
  let sliders = [], buttons = [];
  const rows = ["carried", "own", "y"].map((name) => {
    const label = html("div", { className: "sl-bar-label" }), bar = html("div", { className: "sl-bar-fill" }), value = html("div", { className: "sl-bar-value" });
    bars.append(label, html("div", { className: "sl-bar-box" }, bar), value);
    return { name, label, bar, value };
  });

  function build(shown) {
    sliders = shown.x.map((_, j) => {
      const slider = html("input", { type: "range", min: -shown.limits.x, max: shown.limits.x, step: 0.05 }), value = html("output");
      slider.dataset.x = j;
      slider.setAttribute("aria-label", `input x ${j}`);
      slider.addEventListener("input", () => hand.move("x", j, +slider.value));
      return { slider, value };
    });
    inputs.replaceChildren(...sliders.flatMap(({ slider, value }, j) => [html("span", { textContent: `x${lower(j)}` }), slider, value]));
    buttons = shown.y.map((_, i) => html("button", { type: "button", textContent: `node ${i}`, onclick: () => hand.move("node", i, i) }));
    choice.replaceChildren(html("span", { className: "sl-title", textContent: "what arrives at" }), ...buttons);
  }

  return {
    draw(shown) {
      if (sliders.length !== shown.x.length || buttons.length !== shown.y.length) build(shown);
      const { node: i, colours, reach } = shown, name = lower(i);
      sliders.forEach(({ slider, value }, j) => {
        const meant = hand.meant("x", j, shown.x[j]);
        if (+slider.value !== meant) slider.value = meant;
        written(value, number(meant));
      });
      buttons.forEach((button, k) => button.setAttribute("aria-pressed", k === i));
      const texts = { carried: `Σⱼ λⁱⁿⱼ φ${name}ⱼ xⱼ`, own: `− λᵒᵘᵗ${name} Σⱼ φ${name}ⱼ xⱼ`, y: `y${name}, the sum of both` };
      for (const { name: what, label, bar, value } of rows) {
        const now = shown[what][i], share = Math.min(0.5, Math.abs(now) / reach / 2);
        written(label, texts[what]);
        written(value, number(now));
        value.dataset.value = now;
        Object.assign(bar.style, { left: `${100 * (now < 0 ? 0.5 - share : 0.5)}%`, width: `${100 * share}%`, background: now < 0 ? colours.negative : colours.positive });
      }
    },
  };
}
