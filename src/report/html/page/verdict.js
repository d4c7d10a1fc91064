// What happened, in a sentence and four figures, and what was expected.

function verdict(page) {
  const { run, base } = page;
  const report = run.report;
  const held = report.expect.filter((line) => line.pass).length;
  const passed = report.verdict === "pass";
  const world = report.world === "live" ? "over real HTTP" : "in virtual time";
  return h("header", { class: "verdict", id: "verdict" },
    h("p", { class: "kicker" }, h("span", { class: "brand" }, "squall"), ` ${at(report.time.simulated_s)} ${world}, seed ${report.seed}`),
    h("h1", {}, base ? [h("span", { class: "before" }, base.label), " → ", run.label] : page.capacity ? `What ${report.scenario} bears` : report.scenario, " ",
      report.expect.length > 0 && h("span", { class: `badge ${passed ? "pass" : "fail"}` }, passed ? "✓ pass" : "✗ fail")),
    base && h("p", { class: "sentence before" }, "Before: ", sentenceCase(base.report.sentence)),
    h("p", { class: "sentence" }, base && "After: ", sentenceCase(page.capacity ? page.capacity.sentence : report.sentence || "")),
    !base && report.about && h("p", { class: "about" }, report.about),
    findings(report),
    doubts(report),
    h("div", { class: "numbers" }, numbers(run, base)),
    report.expect.length > 0 && expectations(report.expect, held));
}

/** What it is a case of, with what proves it. */
function findings(report) {
  const found = report.verdicts || [];
  if (found.length === 0) return null;
  return h("ul", { class: "findings", id: "findings" }, found.map((one) => h("li", {},
    h("details", {}, h("summary", {}, h("b", {}, sentenceCase(one.kind.replaceAll("_", " ")).slice(0, -1)), " ", one.what),
      h("ul", {}, one.evidence.map((line) => h("li", {}, line)))))));
}

/** Why a live run's figures cannot be trusted. */
function doubts(report) {
  const lines = report.live ? report.live.doubts : [];
  return lines.length > 0 && h("ul", { class: "doubts" }, lines.map((line) => h("li", {}, `Doubtful: ${line}`)));
}

const sentenceCase = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** The load that most requests belong to. */
const mainLoad = (run) => Object.entries(run.report.load).sort((a, b) => b[1].offered - a[1].offered)[0];

function numbers(run, base) {
  const value = (of) => [base && of(base), of(run)];
  const system = (run) => run.report.system;
  const loads = (run, field) => sum(Object.values(run.report.load).map((load) => load[field]));
  const main = mainLoad(run);
  const name = main ? main[0] : "";
  const p99 = (run) => {
    const load = run.report.load[name];
    return load && load.latency_ms ? load.latency_ms.p99 : null;
  };
  const seconds = Math.max((run.report.time.load_s || run.end) - (run.report.time.warmup_s || 0), 1e-9);
  const several = Object.keys(run.report.load).length > 1;
  return [
    number4("goodput", "Goodput", value((run) => loads(run, "goodput_per_s")), rate,
      `of ${rate(system(run).offered / seconds)} offered`, run.perSecond(added([run.total("ok"), run.total("degraded")])), "good"),
    number4("p99", several ? `p99 of ${name}` : "p99 latency", value(p99), duration,
      main && main[1].latency_ms ? `median ${duration(main[1].latency_ms.p50)}` : "no answers", main ? run.report.timeline.load[name].p99_ms : [], "time"),
    number4("errors", "Failed", value((run) => system(run).error_share), share,
      `${count(system(run).failed)} of ${count(system(run).offered)} requests`, run.perSecond(run.total("failed")), "bad"),
    number4("attempts", "Attempts per request", value((run) => system(run).attempts_per_request), number,
      amplification(run), null, ""),
  ];
}

/** The call that is tried most often. */
function amplification(run) {
  const calls = Object.entries(run.report.calls).filter(([, call]) => call.retries > 0);
  const worst = calls.sort((a, b) => b[1].attempts_per_call - a[1].attempts_per_call)[0];
  return worst ? `${number(worst[1].attempts_per_call)} on ${worst[0]}` : "no retries anywhere";
}

function number4(id, label, [before, now], format, note, series, tone) {
  return h("div", { class: `number ${tone}`, id: `number-${id}` },
    h("span", { class: "label" }, label),
    h("span", { class: "value" }, before !== null && before !== undefined && [h("span", { class: "before" }, figure(before, format)), " → "], figure(now, format)),
    series && series.length > 1 ? spark(series) : null,
    h("span", { class: "note" }, note));
}

/** A small curve without scale. */
function spark(values) {
  const top = most(values.map((value) => value || 0));
  if (top === 0) return null;
  const points = values.map((value, i) => (value === null ? null : `${((i / (values.length - 1)) * 100).toFixed(1)} ${(23 - (value / top) * 22).toFixed(1)}`));
  let path = "";
  points.forEach((point, i) => {
    if (point) path += `${i > 0 && points[i - 1] ? "L" : "M"}${point}`;
  });
  return s("svg", { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("path", { d: path, fill: "none", "vector-effect": "non-scaling-stroke" }));
}

function expectations(lines, held) {
  // What failed is what people look for.
  const sorted = [...lines].sort((a, b) => Number(a.pass) - Number(b.pass));
  return h("details", { class: "expect", id: "expect", open: true },
    h("summary", {}, h("b", {}, "Expected"), ` ${held} of ${lines.length} held`),
    h("ul", {}, sorted.map((line) => h("li", { class: line.pass ? "held" : "broken" },
      h("span", { class: "tick-mark" }, line.pass ? "✓" : "✗", h("span", { class: "hidden" }, line.pass ? " held: " : " did not hold: ")),
      h("span", { class: "wanted" }, line.text), " ", h("span", { class: "actual" }, line.actual)))));
}
