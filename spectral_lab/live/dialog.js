// The pruned network made real: a sheet over the instrument, with both networks side by side.

export function makeDialog(root, hand) {
  const sheet = document.createElement("div");
  sheet.className = "sl-sheet";
  sheet.hidden = true;
  sheet.setAttribute("role", "dialog");
  sheet.setAttribute("aria-modal", "false");
  sheet.setAttribute("aria-label", "the pruned network, made real");
  sheet.tabIndex = -1;
  root.append(sheet);
  let url = null, before = null;

  const element = (tag, props = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), props);
    made.append(...children);
    return made;
  };

  function close() {
    sheet.hidden = true;
    if (url) URL.revokeObjectURL(url);
    url = null;
    if (before && before.isConnected) before.focus();
  }
  sheet.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });

  function show(message, picture) {
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(new Blob([picture], { type: "image/png" }));
    const row = (tag, cells) => element("tr", {}, ...cells.map((cell) => element(tag, { textContent: cell })));
    const table = element("table", {}, row("th", ["", "before", "after"]), ...message.rows.map((cells) => row("td", cells)));
    const words = element("p", { className: message.same ? "sl-same" : "sl-changed", textContent: message.words });
    const image = element("img", { src: url, alt: `the network before and after. ${message.words}` });
    const closing = element("button", { type: "button", className: "sl-button", textContent: "Close" });
    const keep = element("button", { type: "button", className: "sl-button", textContent: "Save the small network" });
    closing.addEventListener("click", close);
    keep.addEventListener("click", () => hand.act(["export", "small"]));
    sheet.replaceChildren(words, table, image, element("div", { className: "sl-row" }, closing, keep));
    before = root.contains(document.activeElement) ? document.activeElement : null;
    sheet.hidden = false;
    sheet.focus();
  }
  return { show, close };
}

// Hands a file of the kernel to the browser's downloads.
export function download(name, mime, content) {
  const url = URL.createObjectURL(new Blob([content], { type: mime }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
