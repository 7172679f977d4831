// Numbers as people read them. What is not known is a dash, never a zero.

export const UNKNOWN = "–";

const known = (value) => typeof value === "number" && Number.isFinite(value);

/** 1024-based, three digits. */
export function bytes(value) {
  if (!known(value)) return UNKNOWN;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${units[unit]}`;
}

/** A share of 1 in percent. */
export function percent(value) {
  return known(value) ? `${(100 * value).toFixed(1)} %` : UNKNOWN;
}

/** A rate or count, thousands apart. */
export function count(value) {
  return known(value) ? value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 }) : UNKNOWN;
}

/** Milliseconds as the two largest units. */
export function duration(ms) {
  if (!known(ms)) return UNKNOWN;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** A time of day, with the date in the title. */
export function clock(ms) {
  return new Date(ms).toLocaleTimeString("en-GB");
}
