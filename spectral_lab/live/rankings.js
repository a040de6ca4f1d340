// Buttons for the rankings, of which one is chosen; each has the line of its curve.  The arrow keys go round, as among radio buttons.

const DASHES = { eigenvalue: [], connectivity: [9, 4], activation: [2, 3], random: [1, 5], path: [9, 3, 2, 3], eigenvalue_norm: [6, 3], row_norm: [12, 4] };
export const dashOf = (name) => DASHES[name] || [4, 2, 1, 2];

export function makeRankings(label, choose) {
  const made = (tag, name, ...children) => { const element = Object.assign(document.createElement(tag), { className: name }); element.append(...children); return element; };
  const by = made("div", "sl-by"), button = (name) => by.querySelector(`[data-ranking="${name}"]`);
  by.setAttribute("role", "radiogroup");
  by.setAttribute("aria-label", label);

  function show(chosen) {
    for (const one of by.querySelectorAll("button")) {
      const on = one.dataset.ranking === chosen;
      one.setAttribute("aria-checked", String(on));
      one.tabIndex = on ? 0 : -1;
    }
  }
  // Other rankings, or other colours; a hand that was on a button stays on the chosen one.
  function build(rankings, tints, chosen) {
    const held = by.contains(document.activeElement), names = rankings.map((ranked) => ranked.name);
    by.replaceChildren(made("span", "sl-label", label), ...rankings.map(({ name, label: words }, k) => {
      const one = Object.assign(made("button", "sl-button", makeSwatch(tints[name], dashOf(name)), words), { type: "button" });
      one.dataset.ranking = name;
      one.setAttribute("role", "radio");
      one.addEventListener("click", () => choose(name));
      one.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], next = names[(k + step + names.length) % names.length];
        if (!step) return;
        event.preventDefault();
        choose(next);
        button(next).focus();
      });
      return one;
    }));
    show(chosen);
    if (held) button(chosen)?.focus();
  }
  return { by, build, show };
}
