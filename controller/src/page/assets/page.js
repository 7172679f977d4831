// Asks the controller in its own rhythm and redraws what changed. A page nobody looks at asks nothing.

import { showCurve } from "./curve.js";
import { showEvents } from "./events.js";
import { showJobs } from "./jobs.js";
import { showMemory } from "./memory.js";
import { count, duration } from "./units.js";

const SHORTEST_MS = 1000;
const LONGEST_MS = 10000;

let status = null;

async function json(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(LONGEST_MS) });
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}`);
  return answer.json();
}

function headline({ version, policy, act, counters, started_at_ms, taken_at_ms }) {
  const may = act.length === 0 ? "advises only" : `may ${act.join(", ")}`;
  return `${version} · policy ${policy} · ${may} · up ${duration(taken_at_ms - started_at_ms)} · `
    + `${count(counters.cycles)} cycles: ${counters.applied} applied, ${counters.advised} advised, ${counters.held} held, ${counters.refused} refused, ${counters.failed + counters.stale} failed`;
}

function draw() {
  if (!status) return;
  document.getElementById("headline").textContent = headline(status);
  showMemory(status);
  showCurve(status);
  showJobs(status);
}

async function look() {
  const fault = document.getElementById("fault");
  try {
    const [seen, journal] = await Promise.all([json("/v1/status"), json("/v1/events")]);
    status = seen;
    draw();
    showEvents(journal.events);
    fault.hidden = true;
  } catch (error) {
    // What is on the page stays there, marked as old.
    fault.textContent = `The controller does not answer (${error.message}); what is below is as of ${status ? new Date(status.taken_at_ms).toLocaleTimeString("en-GB") : "never"}.`;
    fault.hidden = false;
  }
}

async function watch() {
  for (;;) {
    if (!document.hidden) await look();
    const wait = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, status?.interval_ms ?? SHORTEST_MS));
    await new Promise((resume) => {
      const timer = setTimeout(resume, wait);
      document.addEventListener("visibilitychange", () => { clearTimeout(timer); resume(); }, { once: true });
    });
  }
}

addEventListener("hashchange", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
watch();
