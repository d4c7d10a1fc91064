// How long answers took: the median, p90 and p99 of each load, and under them every answer as a heatmap. Times are on a
// logarithmic scale, the same for all loads.

function latencySection(page) {
  const { run, base } = page;
  const runs = [run, base].filter(Boolean);
  const all = runs.flatMap((one) => one.loads.flatMap(([, load]) => [...load.p50_ms, ...load.p99_ms])).filter((value) => value !== null && value > 0);
  if (all.length === 0) return null;
  const low = 10 ** Math.floor(Math.log10(all.reduce((a, b) => Math.min(a, b)) * 0.9));
  const high = Math.max(most(all) * 1.25, low * 10);
  const lanes = run.loads.slice(0, 8).flatMap(([name, load]) => [bandLane(page, name, { low, high }), heatLane(page, name, load)]);
  return section("latency", "Latency", "From the moment a request was due until its user had an answer. Each step's answers on a logarithmic scale.", lanes);
}

const logarithmic = (low, high, height) => (value) => height - (Math.log(Math.max(value, low) / low) / Math.log(high / low)) * (height - 8);

function decades(paper, low, high, y) {
  for (let value = low; value <= high; value *= 10) {
    paper.back.append(s("line", { class: "grid", x1: 0, x2: paper.width, y1: y(value), y2: y(value) }));
    if (y(value) > 12) paper.text(4, y(value) - 3, duration(value));
  }
}

function bandLane(page, name, { low, high }) {
  const { run, base } = page;
  const of = (field) => (i, run) => run.report.timeline.load[name]?.[field]?.[i];
  const figures = [["p50", "p50_ms", "good"], ["p90", "p90_ms", "p90"], ["p99", "p99_ms", "p99"]];
  return lane(page, {
    id: `latency ${name}`, key: `load:${name}`, title: name, height: 130,
    figures: figures.map(([label, field, mark]) => ({ label, mark, at: of(field), format: duration })),
    say: `Latency of ${name}: p99 at most ${duration(most(run.report.timeline.load[name].p99_ms.map((value) => value || 0)))}`,
    draw(paper) {
      const y = logarithmic(low, high, 130);
      decades(paper, low, high, y);
      const { p50_ms, p90_ms, p99_ms } = run.report.timeline.load[name];
      band(paper, run, [p50_ms, p90_ms || p50_ms], y, "band near");
      band(paper, run, [p90_ms || p50_ms, p99_ms], y, "band far");
      paper.line(run, p99_ms, y, { class: "stroke p99" });
      paper.line(run, p50_ms, y, { class: "stroke good thick" });
      const before = base && base.report.timeline.load[name];
      if (before) {
        paper.line(base, before.p99_ms, y, { class: "stroke base" });
        paper.line(base, before.p50_ms, y, { class: "stroke base" });
      }
    },
  });
}

/** The room between two curves, where both are. */
function band(paper, run, [low, high], y, kind) {
  let start = null;
  const flush = (end) => {
    if (start === null) return;
    const steps = Array.from({ length: end - start }, (_, i) => start + i);
    const x = (i) => paper.x(Math.min((i + 0.5) * run.step, run.end)).toFixed(1);
    const up = steps.map((i) => `${x(i)} ${y(high[i]).toFixed(1)}`);
    const down = steps.reverse().map((i) => `${x(i)} ${y(low[i]).toFixed(1)}`);
    paper.add(s("path", { class: kind, d: `M${up.join("L")}L${down.join("L")}Z` }));
    start = null;
  };
  for (let i = 0; i <= low.length; i++) {
    const there = i < low.length && low[i] !== null && high[i] !== null;
    if (there && start === null) start = i;
    if (!there) flush(i);
  }
}

function heatLane(page, name, load) {
  const { run, base } = page;
  const heat = load.latency_counts;
  if (!heat || heat.from_ms.length === 0) return null;
  // Of two runs, one above the other, on one scale.
  const before = base?.report.timeline.load[name]?.latency_counts;
  const both = [before, heat].filter((one) => one && one.from_ms.length);
  const scale = [...new Set(both.flatMap((one) => one.from_ms))].sort((a, b) => a - b);
  const classes = scale.length;
  const top = most(both.flatMap((one) => one.counts.map((row) => most(row))));
  const part = Math.max(44, Math.min(150, classes * 7));
  const height = before ? 2 * part + 6 : part;
  const answers = (i, run) => sum(run.report.timeline.load[name]?.latency_counts?.counts[i] || []);
  const slowest = (i, run) => {
    const one = run.report.timeline.load[name]?.latency_counts;
    const row = (one && one.counts[i]) || [];
    const last = row.reduce((last, value, k) => (value > 0 ? k : last), -1);
    return last < 0 ? null : one.from_ms[last];
  };
  return lane(page, {
    id: `heat ${name}`, key: `load:${name}`, title: `${name}: every answer`, height, class: "heat",
    figures: [{ label: "answers", mark: "heat", at: answers, format: count }, { label: "slowest over", at: slowest, format: duration }],
    say: `Heatmap of the latency of ${name}, ${classes} classes from ${duration(heat.from_ms[0])}`,
    draw(paper) {
      const cell = part / classes;
      const ink = colour("--good");
      const paint = (one, run, bottom) => paper.canvas((canvas) => {
        const places = one.from_ms.map((from) => scale.indexOf(from));
        canvas.fillStyle = ink;
        one.counts.forEach((row, i) => {
          const [from, to] = [paper.x(i * run.step), paper.x(Math.min((i + 1) * run.step, run.end))];
          row.forEach((value, k) => {
            if (value === 0) return;
            canvas.globalAlpha = 0.12 + 0.88 * (Math.log1p(value) / Math.log1p(top));
            canvas.fillRect(from, bottom - (places[k] + 1) * cell, Math.max(to - from - 0.4, 0.6), Math.max(cell - 0.6, 1));
          });
        });
      });
      paint(heat, run, part);
      if (before) {
        paint(before, base, height);
        paper.text(paper.width - 4, 10, run.label, { "text-anchor": "end" });
        paper.text(paper.width - 4, part + 16, base.label, { "text-anchor": "end" });
      }
      for (const bottom of before ? [part, height] : [part]) {
        for (const k of new Set([0, classes - 1])) paper.text(4, Math.max(bottom - k * cell - 2, bottom - part + 10), duration(scale[k]));
      }
    },
  });
}
