// What was decided, what became of it and what it really did; newest first.

import { element, show } from "./dom.js";
import { clock } from "./units.js";

const BAD = new Set(["refused", "failed", "stale"]);
const DONE = new Set(["applied", "found-in-force"]);

/** Draws the events, oldest first as they come. */
export function showEvents(events) {
  show("events", ...[...events].reverse().map(item));
}

function item(event) {
  const kind = BAD.has(event.name) ? "badge bad" : DONE.has(event.name) ? "badge done" : "badge";
  const number = event.decision === null ? "" : `${event.decision} `;
  const when = new Date(event.at_ms);
  const line = [
    element("time", { datetime: when.toISOString(), title: when.toLocaleString() }, clock(event.at_ms)),
    element("span", { class: kind }, `${number}${event.name}`),
    event.sentence,
  ];
  if (event.details.length === 0) return element("li", {}, ...line);
  const details = event.details.map((text) => element("p", {}, text));
  return element("li", {}, element("details", { "data-key": `event-${event.sequence}` }, element("summary", {}, ...line), ...details));
}
