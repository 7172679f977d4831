// Builds elements. Text goes in as text alone: names come from jobs, and a job may be called anything.

/** An element with attributes and children; a child that is no node becomes text, `null` is left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** A table; `rows` are `{cells, chosen}`. */
export function table(head, rows) {
  const cells = (kind, texts) => texts.map((text) => element(kind, kind === "th" ? { scope: "col" } : {}, text));
  const body = rows.map((row) => element("tr", { class: row.chosen ? "chosen" : null }, cells("td", row.cells)));
  return element("div", { class: "scroll" },
    element("table", {}, element("thead", {}, element("tr", {}, cells("th", head))), element("tbody", {}, body)));
}

/** Replaces what is in a place of the page, unless it is the same already: a reader's focus and selection stay. */
export function show(id, ...children) {
  const place = document.getElementById(id);
  const fresh = element("div", {}, ...children);
  if (place.innerHTML === fresh.innerHTML) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = new Set([...place.querySelectorAll("details[open]")].map((details) => details.dataset.key));
  place.replaceChildren(...fresh.childNodes);
  for (const details of place.querySelectorAll("details")) details.open = open.has(details.dataset.key);
  if (focused) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}
