// The storm itself: first attempts and retries of every call, on one scale.

const CALLS_SHOWN = 16;

function attemptsSection(page) {
  const { run, base } = page;
  const again = (name) => [run, base].filter(Boolean).reduce((sum, one) => sum + (one.report.calls[name]?.retries || 0), 0);
  const all = Object.keys(run.report.calls);
  const telling = all.filter((name) => again(name) > 0).sort((a, b) => again(b) - again(a));
  if (telling.length === 0) return null;
  const names = telling.slice(0, CALLS_SHOWN);
  const top = most([run, base].filter(Boolean).flatMap((one) => names.map((name) => most(one.perSecond(one.report.timeline.calls[name]?.attempts || [])))));
  const quiet = all.length - names.length;
  return section("attempts", "Attempts", `First attempts, and on top of them those that were sent again; one scale for all calls.${quiet > 0 ? ` ${count(quiet)} further calls made no retries.` : ""}`,
    names.map((name) => attemptsLane(page, name, top)));
}

function attemptsLane(page, name, top) {
  const { run, base } = page;
  const of = (run) => run.report.timeline.calls[name];
  const firsts = (series) => series.attempts.map((attempts, i) => attempts - series.retries[i]);
  const each = (field) => (i, run) => (of(run) ? (field === "first" ? firsts(of(run))[i] : of(run)[field][i]) / run.length(i) : null);
  const height = 100;
  return lane(page, {
    id: `attempts ${name}`, key: `call:${name}`, title: name, height,
    figures: [
      { label: "first attempts", mark: "good", at: each("first"), format: rate },
      { label: "sent again", mark: "retry", at: each("retries"), format: rate },
      { label: "for each first", at: (i, run) => (of(run) && of(run).attempts[i] > of(run).retries[i] ? of(run).attempts[i] / (of(run).attempts[i] - of(run).retries[i]) : null), format: number },
      { label: "timed out", mark: "bad line", at: each("timeouts"), format: rate },
    ],
    say: `Attempts of ${name}: ${number(run.report.calls[name].attempts_per_call || 0)} a call over the whole run`,
    draw(paper) {
      const y = (value) => height - (value / top) * (height - 8);
      paper.grid(top, rate, height, 8);
      const series = of(run);
      const [first, attempts] = [run.perSecond(firsts(series)), run.perSecond(series.attempts)];
      paper.stairs(run, first.map(y), first.map(() => height), { class: "area good" });
      paper.stairs(run, attempts.map(y), first.map(y), { class: "area retry" });
      paper.line(run, run.perSecond(series.timeouts), y, { class: "stroke bad" });
      if (base && of(base)) paper.stairs(base, base.perSecond(of(base).attempts).map(y), null, { class: "stroke base" });
    },
  });
}
