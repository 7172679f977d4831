// The memory of each TaskManager: a bar that is the budget, and a row for each cache in it.

import { element, show, table } from "./dom.js";
import { UNKNOWN, bytes, count, duration, percent } from "./units.js";
import { chosen, choose, keyOf } from "./choice.js";

const HEAD = ["operator subtask", "capacity", "held", "pinned", "lookups/s", "missed", "curve says", "at half", "at double", "last change"];

/** Draws all TaskManagers of a status. */
export function showMemory(status) {
  if (status.agents.length === 0) {
    show("memory", element("p", { class: "note" }, "No agent has announced itself yet. Set weir.controller.url in Flink's configuration, or name agents with --agent."));
    return;
  }
  show("memory", ...status.agents.flatMap((agent) => taskManager(agent, status.taken_at_ms)));
}

function taskManager(agent, now) {
  const report = agent.report;
  const title = element("h3", {}, `TaskManager ${agent.tm_id ?? agent.url}`);
  const parts = [title];
  if (agent.error) parts.push(element("p", { class: "fault" }, agent.error));
  if (!report) return parts;
  const hook = report.agent.hook;
  const facts = [
    `mode ${report.agent.mode}`,
    report.agent.rocksdb_version ? `RocksDB ${report.agent.rocksdb_version}` : "no RocksDB seen yet",
    hook.state === "refused" ? `not hooked: ${hook.reason}` : hook.state,
    `caches ${bytes(report.budget.allocated_bytes)} of ${bytes(report.budget.cache_bytes)}`,
    `write buffers ${bytes(report.budget.write_buffer_bytes)}`,
    `generation ${report.generation}`,
    `data ${duration(agent.data_age_ms)} old`,
  ];
  parts.push(element("p", { class: "note" }, facts.join(" · ")), wall(agent));
  if (agent.decision) parts.push(element("p", {}, agent.decision.sentence));
  if (agent.caches.length > 0) parts.push(table(HEAD, agent.caches.flatMap((cache) => rows(agent, cache, now))));
  return parts;
}

// One segment for each cache, as wide as its capacity; the filled part is what it holds.
function wall(agent) {
  const budget = agent.report.budget;
  const capacities = agent.caches.reduce((sum, cache) => sum + cache.capacity_bytes, 0);
  const total = Math.max(budget.total_bytes, capacities + budget.write_buffer_bytes, 1);
  const segment = (attributes, share, ...inside) => {
    const made = element("span", attributes, ...inside);
    made.style.width = `${(100 * share).toFixed(3)}%`;
    return made;
  };
  const caches = agent.caches.map((cache) => {
    const full = cache.capacity_bytes > 0 ? Math.min(1, cache.usage_bytes / cache.capacity_bytes) : 0;
    const usage = segment({ class: "usage" }, full);
    const title = `${nameOf(cache.operator)}: ${bytes(cache.usage_bytes)} of ${bytes(cache.capacity_bytes)}`;
    return segment({ title, class: chosen(keyOf(agent, cache)) ? "chosen" : null }, cache.capacity_bytes / total, usage);
  });
  const buffers = segment({ class: "buffers", title: `write buffers: ${bytes(budget.write_buffer_bytes)}` }, budget.write_buffer_bytes / total);
  const label = `${bytes(capacities)} of caches and ${bytes(budget.write_buffer_bytes)} of write buffers in a budget of ${bytes(budget.total_bytes)}`;
  return element("div", { class: "wall", role: "img", "aria-label": label }, ...caches, buffers);
}

function rows(agent, cache, now) {
  const reported = agent.report.caches.find((other) => other.id === cache.id);
  const shared = (reported?.operators ?? []).map((behind) => {
    const key = keyOf(agent, cache, behind);
    const unknown = Array(HEAD.length - 1).fill("");
    return { chosen: chosen(key), cells: [element("span", {}, "└ ", link(key, nameOf(behind.operator))), ...unknown] };
  });
  const key = keyOf(agent, cache);
  const ratio = (predicted) => percent(predicted?.value);
  const change = cache.last_change;
  const said = change
    ? `${change.result} ${bytes(change.from_bytes)} → ${bytes(change.to_bytes)}, ${duration(now - change.at_ms)} ago`
    : UNKNOWN;
  const own = {
    chosen: chosen(key),
    cells: [
      link(key, nameOf(cache.operator)),
      bytes(cache.capacity_bytes),
      bytes(cache.usage_bytes),
      bytes(cache.pinned_bytes),
      count(cache.lookups_per_second),
      percent(cache.measured_miss_ratio),
      ratio(cache.curve_miss_ratio),
      ratio(cache.curve_at_half),
      ratio(cache.curve_at_double),
      said,
    ],
  };
  return [own, ...shared];
}

function link(key, text) {
  return element("button", { class: "link", type: "button", "data-key": key, onclick: () => choose(key) }, text);
}

/** As log lines and `weir top` name an operator subtask. */
export function nameOf(operator) {
  return `${operator.operator_name} (${operator.subtask_index})`;
}
