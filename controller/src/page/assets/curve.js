// The miss ratio curve of the chosen cache with its band, where it stands on it, and the curves of its sibling subtasks.

import { bytes, count, percent } from "./units.js";
import { find } from "./choice.js";
import { nameOf } from "./memory.js";

const MIB = 1024 * 1024;
const HEIGHT = 340;
const SIBLINGS = 32;

let drawn = null; // {data as text, plot}

/** Draws the curve of the chosen cache. */
export function showCurve(status) {
  const found = find(status);
  const source = found?.behind ?? found?.reported;
  const points = (source?.curve?.points ?? []).filter((point) => point.bytes > 0);
  document.getElementById("curve-sentence").textContent = sentence(found, points);
  if (points.length < 2) {
    clear();
    return;
  }
  const markers = marks(found);
  const siblings = siblingCurves(status, found, source);
  const described = JSON.stringify([points, siblings, markers, colour("--paper")]);
  if (drawn?.described === described) return;
  clear();
  drawn = { described, plot: plot(points, siblings, markers) };
}

function sentence(found, points) {
  if (!found) return "No cache has a curve yet; it comes once enough of its lookups were sampled.";
  const { cache, behind } = found;
  if (behind) return `${nameOf(behind.operator)}, behind a shared cache of ${bytes(cache.capacity_bytes)}: what it would miss with a cache of its own.`;
  const name = nameOf(cache.operator);
  if (points.length < 2) return `${name} has no curve yet; it comes once enough of its lookups were sampled.`;
  const ratio = (predicted) => `${percent(predicted?.value)} (${percent(predicted?.low)} to ${percent(predicted?.high)})`;
  return `${name} has ${bytes(cache.capacity_bytes)} and missed ${percent(cache.measured_miss_ratio)} of ${count(cache.lookups_per_second)} lookups a second. `
    + `The curve says ${ratio(cache.curve_miss_ratio)}; with half the memory ${ratio(cache.curve_at_half)}, with double ${ratio(cache.curve_at_double)}.`;
}

// Capacities to mark: the one in force, and one that was only advised.
function marks({ cache }) {
  const marks = [{ at: cache.capacity_bytes, name: "now", colour: "--ink" }];
  const change = cache.last_change;
  if (change?.result === "advised") marks.push({ at: change.to_bytes, name: "advised", colour: "--planned" });
  return marks.filter((mark) => mark.at > 0);
}

function siblingCurves(status, found, source) {
  const own = source.operator;
  const curves = [];
  for (const agent of status.agents) {
    for (const cache of agent.report?.caches ?? []) {
      for (const other of [cache, ...(cache.operators ?? [])]) {
        const same = other.operator.job_id === own.job_id && other.operator.operator_name === own.operator_name;
        const itself = agent === found.agent && other.id === source.id && other.operator.subtask_index === own.subtask_index;
        if (same && !itself && other.curve && curves.length < SIBLINGS) curves.push(other.curve.points.filter((point) => point.bytes > 0));
      }
    }
  }
  return curves;
}

function clear() {
  drawn?.plot.destroy();
  drawn = null;
  document.getElementById("curve").replaceChildren();
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function plot(points, siblings, markers) {
  const x = (curve) => curve.map((point) => point.bytes / MIB);
  const y = (curve, field) => curve.map((point) => 100 * point[field]);
  const own = [x(points), y(points, "miss_ratio"), y(points, "low"), y(points, "high")];
  const data = uPlot.join([own, ...siblings.map((curve) => [x(curve), y(curve, "miss_ratio")])]);
  const line = (label, stroke, width, more = {}) => ({ label, stroke, width, spanGaps: true, points: { show: false }, value: (_, v) => (v == null ? "–" : `${v.toFixed(1)} %`), ...more });
  const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const place = document.getElementById("curve");
  return new uPlot({
    width: Math.max(place.clientWidth, 300),
    height: HEIGHT,
    scales: { x: { time: false, distr: 3, log: 2 }, y: { range: [0, 100] } },
    series: [
      { label: "capacity", value: (_, v) => (v == null ? "–" : bytes(v * MIB)) },
      line("miss ratio", colour("--used"), 2),
      line("low", "transparent", 0),
      line("high", "transparent", 0),
      ...siblings.map((_, n) => line(`sibling ${n + 1}`, colour("--faint"), 1)),
    ],
    bands: [{ series: [3, 2], fill: colour("--band") }],
    axes: [
      { ...axis, label: "cache capacity", values: (_, splits) => splits.map((v) => (v == null ? null : bytes(v * MIB))) },
      { ...axis, label: "share of lookups that miss, %" },
    ],
    legend: { show: false },
    hooks: { draw: [(chart) => markers.forEach((mark) => drawMark(chart, mark))] },
  }, data, place);
}

function drawMark(chart, { at, name, colour: variable }) {
  const { left, top, width, height } = chart.bbox;
  const x = chart.valToPos(at / MIB, "x", true);
  if (x < left || x > left + width) return;
  const context = chart.ctx;
  context.save();
  context.strokeStyle = context.fillStyle = colour(variable);
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x, top + height);
  context.stroke();
  context.textAlign = "left";
  context.fillText(`${name}: ${bytes(at)}`, x + 4, top + 12 * devicePixelRatio);
  context.restore();
}

addEventListener("resize", () => {
  const width = document.getElementById("curve").clientWidth;
  if (width > 0) drawn?.plot.setSize({ width, height: HEIGHT });
});
