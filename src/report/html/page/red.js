// Rate, errors, duration: the same small picture for every service and endpoint, rates on one scale.

const KINDS = ["timeout", "rejected", "breaker_open", "error", "refused"];
const KIND_NAMES = { timeout: "timed out", rejected: "rejected", breaker_open: "breaker open", error: "errors", refused: "refused" };

function redSection(page) {
  const { run, base } = page;
  const names = inGraphOrder(page).filter(({ node }) => node.kind === "service").map(({ node }) => node.name);
  if (names.length === 0) return null;
  const runs = [run, base].filter(Boolean);
  const ended = (one, name) => { const series = one.report.timeline.services[name]; return series ? one.perSecond(added([series.ok, series.failed, series.rejected])) : []; };
  const top = calmTop(runs.flatMap((one) => names.flatMap((name) => ended(one, name))));
  const slowest = most(runs.flatMap((one) => names.map((name) => most((one.report.timeline.services[name]?.mean_ms || []).map((value) => value || 0)))));
  const scales = { top: top || 1, slowest: slowest || 1, fastest: Math.max(slowest / 1e5, 0.001) };
  return section("red", "Every service: rate, errors, duration",
    `Requests that ended, those that failed on top, one scale (${rate(top)}). The line is the mean time in the service, up to ${duration(slowest)}, logarithmic.`,
    names.map((name) => [redLane(page, name, scales), endpointLanes(page, name, scales)]));
}

function redLane(page, name, { top, slowest, fastest }) {
  const { run, base } = page;
  const of = (run) => run.report.timeline.services[name];
  const each = (field) => (i, run) => (of(run) ? of(run)[field][i] / run.length(i) : null);
  const kinds = KINDS.filter((kind) => most(of(run).failures?.[kind] || []) > 0);
  const height = 58;
  return lane(page, {
    id: `red ${name}`, key: `service:${name}`, title: name, height, class: "red",
    figures: [
      { label: "answered", mark: "good", at: each("ok"), format: rate },
      ...(kinds.length ? kinds : []).map((kind) => ({ label: KIND_NAMES[kind], mark: "bad", at: (i, run) => (of(run)?.failures?.[kind]?.[i] ?? 0) / run.length(i), format: rate })),
      ...(most(of(run).rejected) > 0 ? [{ label: "turned away", mark: "bad", at: each("rejected"), format: rate }] : []),
      { label: "mean time", mark: "ink line", at: (i, run) => of(run)?.mean_ms?.[i], format: duration },
    ],
    say: `${name}: ${rate(most(run.perSecond(of(run).ok)))} answered at most, ${count(run.report.services[name].failed)} failed`,
    draw(paper) {
      const y = (value) => height - (Math.min(value, top) / top) * (height - 6);
      const series = of(run);
      areas(paper, run, [series.ok, added([series.failed, series.rejected])], y, height);
      const z = logarithmic(fastest, slowest, height);
      paper.line(run, series.mean_ms || [], z, { class: "stroke ink" });
      paper.add(s("line", { class: "axis", x1: 0, x2: paper.width, y1: height - 0.5, y2: height - 0.5 }));
      paper.cutOff(run, run.perSecond(added([series.ok, series.failed, series.rejected])), top);
      if (base && of(base)) {
        paper.stairs(base, base.perSecond(of(base).ok).map(y), null, { class: "stroke base" });
        paper.line(base, of(base).mean_ms || [], z, { class: "stroke base" });
      }
    },
  });
}

function areas(paper, run, [ok, failed], y, height) {
  const [good, bad] = [run.perSecond(ok), run.perSecond(added([ok, failed]))];
  paper.stairs(run, good.map(y), good.map(() => height), { class: "area good" });
  if (most(failed) > 0) paper.stairs(run, bad.map(y), good.map(y), { class: "area bad" });
}

/** Endpoints of a service that has several. */
function endpointLanes(page, name, { top }) {
  const { run } = page;
  const endpoints = Object.keys(run.report.timeline.services[name].endpoints || {});
  const height = 26;
  return endpoints.map((endpoint) => {
    const of = (run) => run.report.timeline.services[name]?.endpoints?.[endpoint];
    const failed = (run) => added([of(run).failed, of(run).rejected]);
    return lane(page, {
      id: `red ${name}.${endpoint}`, key: `service:${name}`, title: endpoint, height, class: page.base ? "slim endpoint two" : "slim endpoint",
      figures: [
        { label: "answered", mark: "good", at: (i, run) => (of(run) ? of(run).ok[i] / run.length(i) : null), format: rate },
        { label: "failed", mark: "bad", at: (i, run) => (of(run) ? failed(run)[i] / run.length(i) : null), format: rate },
      ],
      say: `${name}.${endpoint}: ${rate(most(run.perSecond(of(run).ok)))} answered at most`,
      draw(paper) {
        const y = (value) => height - (Math.min(value, top) / top) * (height - 3);
        areas(paper, run, [of(run).ok, failed(run)], y, height);
        if (page.base && of(page.base)) paper.stairs(page.base, page.base.perSecond(of(page.base).ok).map(y), null, { class: "stroke base" });
        paper.add(s("line", { class: "axis", x1: 0, x2: paper.width, y1: height - 0.5, y2: height - 0.5 }));
      },
    });
  });
}
