// Circuit breakers: a lane a call, and why each change came.

function breakersSection(page) {
  const { run } = page;
  const names = Object.keys(run.report.calls).filter((name) => run.report.calls[name].breaker);
  if (names.length === 0) return null;
  return section("breakers", "Circuit breakers", "Closed is a thin line, half-open hatched, open solid. Of several replicas, the least closed one.",
    names.map((name) => [breakerLane(page, name), transitions(page, name)]));
}

function breakerLane(page, name) {
  const { run, base } = page;
  const height = base ? 38 : 22;
  const now = (i, run) => run.breakerAt(name, state.t);
  return lane(page, {
    id: `breaker ${name}`, key: `call:${name}`, title: name, height, class: "slim",
    figures: [{ label: "breaker", at: now, format: (text) => text }],
    say: `Breaker of ${name}: opened ${run.report.calls[name].breaker.opened} times`,
    draw(paper) {
      spans(paper, run, name, 11, "");
      if (base && base.report.calls[name]?.breaker) spans(paper, base, name, 29, "before");
    },
  });
}

function spans(paper, run, name, y, kind) {
  for (const span of run.breakerSpans(name)) {
    const [from, to] = [paper.x(span.from), paper.x(span.to)];
    const thick = span.state === "closed" ? 2 : 14;
    paper.add(s("rect", { class: `span ${span.state} ${kind}`, x: from, y: y - thick / 2, width: Math.max(to - from, 1.5), height: thick },
      s("title", {}, `${span.state} from ${at(span.from)} to ${at(span.to)}`)));
    if (to - from > 46 && span.state !== "closed") paper.add(s("text", { class: `span-name ${span.state}`, x: from + 6, y: y + 4 }, span.state));
  }
}

function transitions(page, name) {
  const changes = page.run.report.calls[name].breaker.transitions;
  if (changes.length === 0) return null;
  return h("details", { class: "changes", open: changes.length <= 4 },
    h("summary", {}, `${changes.length} ${changes.length === 1 ? "change" : "changes"} of ${name}, and why`),
    h("ol", {}, changes.map((change) => h("li", {},
      h("button", { onclick: () => { play(false); seek(change.at_s); } },
        h("time", {}, at(change.at_s)), h("span", {}, `${change.from} → ${change.to}`),
        h("span", { class: "why" }, change.why, change.replica !== undefined && ` (replica ${change.replica})`))))));
}
