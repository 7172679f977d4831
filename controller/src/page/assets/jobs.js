// Jobs as Flink tells of them, with what was decided about their shapes.

import { element, show, table } from "./dom.js";
import { count, percent } from "./units.js";

const HEAD = ["vertex", "instances", "records in/s", "records out/s", "busiest", "most backpressured", "waiting outside"];

/** Draws all jobs of a status. */
export function showJobs(status) {
  const parts = [];
  if (status.flink_error) parts.push(element("p", { class: "fault" }, status.flink_error));
  if (!status.flink) parts.push(element("p", { class: "note" }, "No Flink is configured: name its REST address with --flink."));
  for (const job of status.jobs ?? []) parts.push(...ofJob(job, status.shapes.find((shape) => shape.job_id === job.job_id)));
  if (status.flink && !status.flink_error && (status.jobs ?? []).length === 0) parts.push(element("p", { class: "note" }, "Flink runs no job."));
  show("jobs", ...parts);
}

function ofJob(job, shape) {
  const restarts = job.restarts === null ? "" : `, ${job.restarts} restarts`;
  const parts = [
    element("h3", {}, `${job.name} `, element("span", { class: "badge" }, job.state)),
    element("p", { class: "note" }, `${job.job_id}${restarts}`),
    table(HEAD, job.vertices.map((vertex) => ({ cells: cells(vertex) }))),
  ];
  if (!shape) return parts;
  parts.push(element("p", {}, shape.sentence));
  if (shape.last_rescale) parts.push(element("p", {}, `last restart: ${shape.last_rescale.result}, ${shape.last_rescale.message}`));
  const more = [...shape.vertices, ...shape.rejected].map((text) => element("p", {}, text));
  if (more.length > 0) parts.push(element("details", { "data-key": `shape-${job.job_id}` }, element("summary", {}, "reasons and what was rejected"), ...more));
  return parts;
}

// A figure that one subtask did not report is missing for the whole vertex.
function cells(vertex) {
  const figures = (name) => vertex.subtasks.map((subtask) => subtask[name]);
  const whole = (name, combine) => {
    const all = figures(name);
    return all.length === vertex.parallelism && all.every((value) => typeof value === "number") ? combine(all) : undefined;
  };
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const most = (values) => Math.max(...values);
  return [
    vertex.name,
    String(vertex.parallelism),
    count(whole("records_in_per_second", sum)),
    count(whole("records_out_per_second", sum)),
    percent(whole("busy", most)),
    percent(whole("backpressured", most)),
    vertex.source ? count(vertex.source.pending_records) : "",
  ];
}
