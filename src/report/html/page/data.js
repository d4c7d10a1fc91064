// A report, made easy to draw: series as rates, who is who, what is under way at a time. Draws nothing.

const sum = (values) => values.reduce((total, value) => total + value, 0);
const most = (values) => values.reduce((best, value) => (value > best ? value : best), 0);
const added = (lists) => (lists.length ? lists[0].map((_, i) => sum(lists.map((list) => list[i] || 0))) : []);

/** The top of a scale on which short spikes are cut off, so that the rest can be seen. */
function calmTop(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const usual = sorted[Math.floor(sorted.length * 0.95)] || 0;
  const highest = most(sorted);
  return highest > 3 * usual && usual > 0 ? 2 * usual : highest;
}

/** What the pictures need of one run. */
class Run {
  constructor(report, label) {
    this.report = report;
    this.label = label || "";
    this.step = report.timeline.step_s;
    this.end = Math.max(report.time.simulated_s, this.step);
    const loads = Object.values(report.timeline.load);
    this.steps = most(
      [...loads.map((load) => load.offered.length), ...Object.values(report.timeline.services).map((one) => one.ok.length)],
    );
  }

  /** The step that a time is in. */
  index(t) {
    return Math.max(0, Math.min(this.steps - 1, Math.floor(t / this.step + 1e-9)));
  }

  /** Seconds of a step; the last one may be cut short, and a moment is no time to take a rate over. */
  length(i) {
    return i + 1 < this.steps ? this.step : Math.max(this.end - i * this.step, this.step / 2);
  }

  /** Counts as rates a second. */
  perSecond(counts) {
    return counts.map((count, i) => count / this.length(i));
  }

  get loads() {
    return Object.entries(this.report.timeline.load);
  }

  /** All load together: a series of counts. */
  total(field) {
    return added(this.loads.map(([, load]) => load[field]));
  }

  /** Requests that ended for nobody, at all services together. */
  get wasted() {
    return added(Object.values(this.report.timeline.services).map((one) => one.wasted || []).filter((list) => list.length));
  }

  /** Faults at work at a time. */
  faultsAt(t) {
    return this.report.faults.filter((fault) => fault.from_s <= t && t < fault.to_s);
  }

  /** The state of a call's breaker at a time: the least closed of its replicas'. */
  breakerAt(call, t) {
    const breaker = this.report.calls[call] && this.report.calls[call].breaker;
    if (!breaker) return null;
    const states = new Map();
    for (const change of breaker.transitions) {
      if (change.at_s > t) break;
      states.set(change.replica || 0, change.to);
    }
    return [...states.values()].reduce((worst, state) => (openness(state) > openness(worst) ? state : worst), "closed");
  }

  /** Stretches of time in which a call's breaker was in one state. */
  breakerSpans(call) {
    const times = [0, ...new Set(this.report.calls[call].breaker.transitions.map((change) => change.at_s)), this.end];
    const spans = [];
    for (let i = 0; i + 1 < times.length; i++) {
      const state = this.breakerAt(call, times[i]);
      const last = spans[spans.length - 1];
      if (last && last.state === state) last.to = times[i + 1];
      else spans.push({ state, from: times[i], to: times[i + 1] });
    }
    return spans;
  }

  /** Busy and waiting of a service or database, and how many it has: at most, and in a step where replicas come and go. */
  pool(kind, name) {
    const { timeline, services, databases } = this.report;
    if (kind === "service" && timeline.services[name]) {
      const series = timeline.services[name];
      const { limit } = services[name].workers;
      const replicas = series.replicas || [];
      const each = limit && replicas.length ? limit / services[name].replicas.max : null;
      return { busy: series.workers_busy, queue: series.queue, limit, limitAt: (i) => (each ? each * Math.max(replicas[i], 1) : limit), unit: "workers" };
    }
    if (kind === "database" && timeline.databases[name]) {
      const series = timeline.databases[name];
      const { limit } = databases[name].connections;
      return { busy: series.busy, queue: series.waiting, limit, limitAt: () => limit, unit: "connections" };
    }
    return null;
  }

  /** Whether somebody looks at cores or memory. */
  get anyMachine() {
    return Object.values(this.report.timeline.services).some((one) => one.cpu_share?.length || one.memory_mib_max?.length);
  }

  /** The memory that a replica of a service has, in MiB, where somebody looks at it. */
  memoryLimit(name) {
    const series = this.report.timeline.services[name]?.memory_mib_max;
    return series && series.length ? this.report.services[name]?.memory_limit_mib || most(series.map((value) => value || 0)) : null;
  }

  /** The share of looks into a cache that found what they looked for. */
  hitRate(name, i) {
    const series = this.report.timeline.caches?.[name];
    const looks = series ? series.hits[i] + series.misses[i] : 0;
    return looks > 0 ? series.hits[i] / looks : null;
  }
}

const openness = (state) => ({ closed: 0, disabled: 0, "half-open": 1, open: 2, "forced-open": 3 })[state] ?? 1;

/** The moment worth seeing first: where most fails or waits; the middle of a run in which nothing does. */
function tellingMoment(run) {
  const failed = run.perSecond(run.total("failed"));
  const queues = added(Object.values(run.report.timeline.services).map((one) => one.queue));
  const score = failed.map((value, i) => value * 10 + (queues[i] || 0));
  const worst = score.findIndex((value) => value >= 0.7 * most(score));
  return score[worst] > 0 ? (worst + 0.5) * run.step : run.end / 2;
}
