// Offered load against goodput, and under it the work done for nobody.

function offeredSection(page) {
  const { run, base } = page;
  // Services that stand without load of their own: what comes is seen at each of them.
  if (most(run.total("offered")) === 0) return null;
  const whole = run.loads.length > 1 ? [["All load", run.loads.map(([name]) => name), null]] : [];
  const each = run.loads.map(([name]) => [name, [name], `load:${name}`]);
  const shown = each.length > 1 && each.length <= 8 ? [...whole, ...each] : whole.length ? whole : each;
  const top = most([run, base].filter(Boolean).map((one) => most(["offered", "good"].map((field) => most(loadRate(one, shown[0][1], field)))))) || 1;
  return section("offered", "Offered load, goodput and wasted work",
    `What users asked for, what they got, and what the system did for callers that had already given up.${triggerNote(run)}`,
    shown.map(([title, names, key], i) => offeredLane(page, { title, names, key, top, first: i === 0 })));
}

function triggerNote(run) {
  const faults = run.report.faults;
  if (faults.length === 0) return "";
  const names = [...new Set(faults.map((fault) => fault.name))];
  return ` Shaded: ${names.slice(0, 4).join(", ")}${names.length > 4 ? " and others" : ""}; the dashed line is where it ends.`;
}

function loadRate(run, names, field) {
  const loads = names.map((name) => run.report.timeline.load[name]).filter(Boolean);
  const of = (field) => added(loads.map((load) => load[field]));
  if (field === "good") return run.perSecond(added([of("ok"), of("degraded")].filter((list) => list.length)));
  return run.perSecond(of(field));
}

function offeredLane(page, { title, names, key, top, first }) {
  const { run, base } = page;
  const wasted = first ? run.perSecond(run.wasted) : [];
  const wastedTop = first ? Math.max(most(wasted), base ? most(base.perSecond(base.wasted)) : 0) : 0;
  const cache = new Map();
  const kept = (field) => (i, run) => {
    const id = `${field}${run.label}`;
    if (!cache.has(id)) cache.set(id, field === "wasted" ? run.perSecond(run.wasted) : loadRate(run, names, field));
    return cache.get(id)[i];
  };
  const any = (field) => most(loadRate(run, names, field)) > 0 || (base && most(loadRate(base, names, field)) > 0);
  const figures = [
    { label: "offered", mark: "ink", at: kept("offered"), format: rate },
    { label: "answered", mark: "good", at: kept("ok"), format: rate },
    any("degraded") && { label: "degraded", mark: "degraded", at: kept("degraded"), format: rate },
    { label: "failed", mark: "bad", at: kept("failed"), format: rate },
    wastedTop > 0 && { label: "for nobody", mark: "waste", at: kept("wasted"), format: rate },
  ].filter(Boolean);
  const above = first ? 150 : 64;
  const below = wastedTop > 0 ? Math.max(24, Math.min(90, (above - 10) * (wastedTop / top))) : 0;
  return lane(page, {
    id: `offered ${title}`, key, title, height: above + below, figures,
    say: `${title}: offered ${rate(most(loadRate(run, names, "offered")))} at most, goodput ${rate(most(loadRate(run, names, "good")))} at most`,
    draw(paper) {
      const y = (value) => above - (value / top) * (above - 10);
      paper.grid(top, rate, above, 10);
      const [offered, ok, degraded, failed] = ["offered", "ok", "degraded", "failed"].map((field) => loadRate(run, names, field));
      const good = added([ok, degraded]);
      paper.stairs(run, ok.map(y), ok.map(() => above), { class: "area good" });
      if (most(degraded) > 0) paper.stairs(run, good.map(y), ok.map(y), { class: "area degraded" });
      paper.stairs(run, added([good, failed]).map((value) => Math.max(y(value), 0)), good.map(y), { class: "area bad" });
      paper.stairs(run, offered.map(y), null, { class: "stroke ink" });
      paper.add(s("line", { class: "axis", x1: 0, x2: paper.width, y1: above, y2: above }));
      if (base) {
        paper.stairs(base, loadRate(base, names, "good").map(y), null, { class: "stroke base" });
      }
      if (below > 0) {
        const depth = (value) => above + (value / wastedTop) * (below - 4);
        paper.stairs(run, wasted.map(depth), wasted.map(() => above), { class: "area waste" });
        if (base) paper.stairs(base, base.perSecond(base.wasted).map(depth), null, { class: "stroke base" });
        paper.text(4, above + below - 5, `${rate(wastedTop)} for nobody`);
      }
      if (first) faultNames(paper, run);
    },
  });
}

/** The names of faults, over their windows. */
function faultNames(paper, run) {
  let free = -1;
  for (const fault of run.report.faults) {
    const x = paper.x(fault.from_s);
    if (x < free) continue;
    const text = `⚡ ${cut(fault.name, 150, "600 11px system-ui, sans-serif")}`;
    paper.text(x + 4, 10, text, { class: "fault-name" });
    free = x + 14 + text.length * 6.5;
  }
}
