// Which cache the reader looks at. It is in the address, so that a link leads to it.

/** Names a cache, or an operator behind a shared one. */
export function keyOf(agent, cache, behind) {
  const parts = [agent.tm_id ?? agent.url, cache.id];
  if (behind) parts.push(behind.id);
  return parts.map(encodeURIComponent).join("/");
}

/** The key in the address, if any. */
export function chosenKey() {
  return location.hash.startsWith("#cache=") ? location.hash.slice("#cache=".length) : null;
}

export const chosen = (key) => key === chosenKey();

/** Puts a key into the address; `hashchange` redraws. */
export function choose(key) {
  location.hash = `cache=${key}`;
}

/** The chosen cache of a status: `{agent, cache, behind, reported}`; without a choice the one that misses most. */
export function find(status) {
  const wanted = chosenKey();
  let most = null;
  for (const agent of status.agents) {
    for (const cache of agent.report ? agent.caches : []) {
      const reported = agent.report.caches.find((other) => other.id === cache.id);
      const misses = (cache.lookups_per_second ?? 0) * (cache.measured_miss_ratio ?? 0);
      const found = { agent, cache, reported, behind: null, misses };
      if (wanted === keyOf(agent, cache)) return found;
      const behind = (reported?.operators ?? []).find((operator) => wanted === keyOf(agent, cache, operator));
      if (behind) return { ...found, behind };
      if (reported?.curve && (most === null || misses > most.misses)) most = found;
    }
  }
  return most;
}
