// What every lane must say at a time, worked out from report.json anew: the page's own code is not used.

/** By lane: its readings in order, raw. */
function expected(report, t) {
  const { timeline } = report;
  const step = timeline.step_s;
  const steps = Math.max(...Object.values(timeline.load).map((one) => one.offered.length));
  const i = Math.max(0, Math.min(steps - 1, Math.floor(t / step + 1e-9)));
  const length = i + 1 < steps ? step : Math.max(report.time.simulated_s - i * step, step / 2);
  const lanes = {};
  const loads = Object.entries(timeline.load);
  const any = (lists) => lists.some((list) => list.some((value) => value > 0));
  const offered = (names) => {
    const ours = names.map((name) => timeline.load[name]);
    const at = (field) => ours.reduce((sum, one) => sum + one[field][i], 0) / length;
    return { offered: at("offered"), ok: at("ok"), ...(any(ours.map((one) => one.degraded)) ? { degraded: at("degraded") } : {}), failed: at("failed") };
  };
  const services = Object.entries(timeline.services);
  const wasted = any(services.map(([, one]) => one.wasted)) ? { wasted: services.reduce((sum, [, one]) => sum + one.wasted[i], 0) / length } : {};
  if (loads.length === 1) lanes[`offered ${loads[0][0]}`] = { ...offered([loads[0][0]]), ...wasted };
  else {
    lanes["offered All load"] = { ...offered(loads.map(([name]) => name)), ...wasted };
    for (const [name] of loads) lanes[`offered ${name}`] = offered([name]);
  }
  for (const [name, one] of loads) {
    if (any([one.p99_ms])) lanes[`latency ${name}`] = { p50: one.p50_ms[i], p90: one.p90_ms[i], p99: one.p99_ms[i] };
    if (one.latency_counts.from_ms.length) {
      const row = one.latency_counts.counts[i];
      const last = row.reduce((last, value, k) => (value > 0 ? k : last), -1);
      lanes[`heat ${name}`] = { answers: row.reduce((a, b) => a + b, 0), slowest: last < 0 ? null : one.latency_counts.from_ms[last] };
    }
  }
  for (const [name, call] of Object.entries(report.calls)) {
    if (call.retries > 0) {
      const one = timeline.calls[name];
      lanes[`attempts ${name}`] = { first: (one.attempts[i] - one.retries[i]) / length, again: one.retries[i] / length, each: one.attempts[i] > one.retries[i] ? one.attempts[i] / (one.attempts[i] - one.retries[i]) : null, timeouts: one.timeouts[i] / length };
    }
    if (call.breaker) {
      const before = call.breaker.transitions.filter((change) => change.at_s <= t && change.replica === undefined);
      if (before.length || call.breaker.transitions.every((change) => change.replica === undefined)) {
        lanes[`breaker ${name}`] = { state: before.length ? before[before.length - 1].to : "closed" };
      }
    }
  }
  for (const [name, one] of services) {
    lanes[`occupancy ${name}`] = { busy: one.workers_busy[i], queue: one.queue[i] };
    const kinds = ["timeout", "rejected", "breaker_open", "error", "refused"].filter((kind) => any([one.failures[kind]]));
    lanes[`red ${name}`] = {
      ok: one.ok[i] / length,
      ...Object.fromEntries(kinds.map((kind) => [kind, one.failures[kind][i] / length])),
      ...(any([one.rejected]) ? { turned_away: one.rejected[i] / length } : {}),
      mean: one.mean_ms[i],
    };
  }
  const end = i + 1 < steps ? (i + 1) * step : report.time.simulated_s;
  for (const [name, one] of services) {
    const { scaled = [] } = report.services[name];
    if (one.replicas?.length) {
      const ordered = scaled.filter((change) => change.at_s <= end + 1e-9);
      lanes[`replicas ${name}`] = { serve: one.replicas[i], ...(scaled.length ? { wanted: ordered.length ? ordered[ordered.length - 1].to : one.replicas[0] } : {}) };
    }
    if (one.cpu_share?.length) lanes[`cpu ${name}`] = { used: one.cpu_share[i] };
    if (one.memory_mib_max?.length) lanes[`memory ${name}`] = { used: one.memory_mib_max[i] };
  }
  for (const [name, one] of Object.entries(timeline.caches || {})) {
    const looks = one.hits[i] + one.misses[i];
    lanes[`cache ${name}`] = { hits: one.hits[i] / length, misses: one.misses[i] / length, rate: looks > 0 ? one.hits[i] / looks : null };
  }
  for (const [name, one] of Object.entries(timeline.topics || {})) {
    lanes[`topic ${name}`] = { published: one.published[i] / length, delivered: one.delivered[i] / length, dead: one.dead_letters[i] / length, waiting: one.backlog_max[i] };
  }
  for (const [name, one] of Object.entries(timeline.databases)) lanes[`occupancy ${name}`] = { busy: one.busy[i], queue: one.waiting[i] };
  return lanes;
}

module.exports = { expected };
