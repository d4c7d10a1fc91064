// Caches and topics over time: what was found and what was not; what was published, delivered, given up, and what waited.

function storesSection(page) {
  const { run } = page;
  const [caches, topics] = [run.report.timeline.caches || {}, run.report.timeline.topics || {}].map(Object.keys);
  if (caches.length + topics.length === 0) return null;
  const said = [caches.length > 0 && "Looks into caches that found what they looked for, and on top of them those that did not.",
    topics.length > 0 && "Messages delivered, given up on top; the line is what was published, the lower half what waited."].filter(Boolean);
  const title = caches.length && topics.length ? "Caches and topics" : caches.length ? "Caches" : "Topics";
  return section("stores", title, said.join(" "), caches.map((name) => cacheLane(page, name)), topics.map((name) => topicLane(page, name)));
}

function cacheLane(page, name) {
  const { run, base } = page;
  const of = (run) => run.report.timeline.caches?.[name];
  const each = (field) => (i, run) => (of(run) ? of(run)[field][i] / run.length(i) : null);
  const looks = (run) => run.perSecond(added([of(run).hits, of(run).misses]));
  const height = 90;
  const top = most([run, base].filter((one) => one && of(one)).map((one) => most(looks(one)))) || 1;
  return lane(page, {
    id: `cache ${name}`, key: `cache:${name}`, title: name, height,
    figures: [
      { label: "found", mark: "good", at: each("hits"), format: rate },
      { label: "not found", mark: "retry", at: each("misses"), format: rate },
      { label: "hit rate", mark: "ink line", at: (i, run) => run.hitRate(name, i), format: share },
    ],
    say: `Cache ${name}: hit rate ${share(run.report.caches[name].hit_rate || 0)} over the whole run`,
    draw(paper) {
      const y = (value) => height - (value / top) * (height - 10);
      paper.grid(top, rate, height, 10);
      const hits = run.perSecond(of(run).hits);
      paper.stairs(run, hits.map(y), hits.map(() => height), { class: "area good" });
      paper.stairs(run, looks(run).map(y), hits.map(y), { class: "area retry" });
      const part = (value) => height - value * (height - 10);
      paper.line(run, hits.map((_, i) => run.hitRate(name, i)), part, { class: "stroke ink" });
      if (base && of(base)) paper.line(base, of(base).hits.map((_, i) => base.hitRate(name, i)), part, { class: "stroke base" });
    },
  });
}

function topicLane(page, name) {
  const { run, base } = page;
  const of = (run) => run.report.timeline.topics?.[name];
  const each = (field) => (i, run) => (of(run) ? of(run)[field][i] / run.length(i) : null);
  const runs = [run, base].filter((one) => one && of(one));
  const top = most(runs.map((one) => Math.max(most(one.perSecond(of(one).published)), most(one.perSecond(added([of(one).delivered, of(one).dead_letters])))))) || 1;
  const deepest = most(runs.map((one) => most(of(one).backlog_max)));
  const above = 84;
  const below = deepest > 0 ? 40 : 0;
  return lane(page, {
    id: `topic ${name}`, key: `topic:${name}`, title: name, height: above + below,
    figures: [
      { label: "published", mark: "ink line", at: each("published"), format: rate },
      { label: "delivered", mark: "good", at: each("delivered"), format: rate },
      { label: "given up", mark: "bad", at: each("dead_letters"), format: rate },
      { label: "waiting, at most", mark: "retry", at: (i, run) => of(run)?.backlog_max[i] ?? null, format: count },
    ],
    say: `Topic ${name}: at most ${count(deepest)} messages waited`,
    draw(paper) {
      const y = (value) => above - (value / top) * (above - 10);
      paper.grid(top, rate, above, 10);
      const delivered = run.perSecond(of(run).delivered);
      const ended = run.perSecond(added([of(run).delivered, of(run).dead_letters]));
      paper.stairs(run, delivered.map(y), delivered.map(() => above), { class: "area good" });
      if (most(of(run).dead_letters) > 0) paper.stairs(run, ended.map(y), delivered.map(y), { class: "area bad" });
      paper.stairs(run, run.perSecond(of(run).published).map(y), null, { class: "stroke ink" });
      paper.add(s("line", { class: "axis", x1: 0, x2: paper.width, y1: above, y2: above }));
      if (base && of(base)) paper.stairs(base, base.perSecond(of(base).delivered).map(y), null, { class: "stroke base" });
      if (below === 0) return;
      const depth = (value) => above + (value / deepest) * (below - 4);
      paper.stairs(run, of(run).backlog_max.map(depth), of(run).backlog_max.map(() => above), { class: "area retry" });
      if (base && of(base)) paper.stairs(base, of(base).backlog_max.map(depth), null, { class: "stroke base" });
      paper.text(4, above + below - 5, `${count(deepest)} waiting`);
    },
  });
}
