// What services run on, over time: replicas that come and go, cores, memory. Of services where nobody looks at any of it
// there is nothing to show.

function machinesSection(page) {
  const services = inGraphOrder(page).filter(({ node }) => node.kind === "service").map(({ node }) => node.name);
  const of = (run, name) => run.report.timeline.services[name];
  const has = (field) => services.filter((name) => [page.run, page.base].filter(Boolean).some((run) => of(run, name)?.[field]?.length));
  const [replicas, cpu, memory] = ["replicas", "cpu_share", "memory_mib_max"].map(has);
  const all = [...replicas.map((name) => replicasLane(page, name)), ...cpu.map((name) => cpuLane(page, name)), ...memory.map((name) => memoryLane(page, name))];
  if (all.length === 0) return null;
  const said = [replicas.length > 0 && "Replicas that served, and those that were wanted.", cpu.length > 0 && "Cores in use, of all that serve.",
    memory.length > 0 && "Memory of the fullest replica; the line across is what it has."].filter(Boolean);
  return section("machines", "Replicas, CPU and memory", said.join(" "), all);
}

/** Both runs' values in one picture: the run as an area, the base as a dashed line. */
function levelLane(page, { id, name, title, height, figures, say, top, values, format, kind, also }) {
  const { run, base } = page;
  return lane(page, {
    id, key: `service:${name}`, title, height, figures, say,
    draw(paper) {
      const y = (value) => height - (Math.min(value, top) / top) * (height - 10);
      paper.grid(top, format, height, 10);
      const known = values(run).map((value) => value ?? 0);
      paper.stairs(run, known.map(y), known.map(() => height), { class: `area ${kind}` });
      paper.add(s("line", { class: "axis", x1: 0, x2: paper.width, y1: height - 0.5, y2: height - 0.5 }));
      if (also) also(paper, y);
      if (base && values(base).length) paper.stairs(base, values(base).map((value) => y(value ?? 0)), null, { class: "stroke base" });
    },
  });
}

function replicasLane(page, name) {
  const { run, base } = page;
  const values = (run) => run.report.timeline.services[name]?.replicas || [];
  const wanted = (run, t) => {
    const changes = (run.report.services[name]?.scaled || []).filter((change) => change.at_s <= t + 1e-9);
    return changes.length ? changes[changes.length - 1].to : values(run)[0];
  };
  const end = (i, run) => Math.min((i + 1) * run.step, run.end);
  const scaled = (run) => (run.report.services[name]?.scaled || []).length > 0;
  const top = most([run, base].filter(Boolean).flatMap((one) => [...values(one), ...(one.report.services[name]?.scaled || []).map((change) => change.to)])) || 1;
  return levelLane(page, {
    id: `replicas ${name}`, name, title: `${name}: replicas`, height: 72, top, values, format: number, kind: "good",
    figures: [
      { label: "serve", mark: "good", at: (i, run) => values(run)[i] ?? null, format: count },
      ...(scaled(run) ? [{ label: "wanted", mark: "ink line", at: (i, run) => wanted(run, end(i, run)) ?? null, format: count }] : []),
    ],
    say: `Replicas of ${name}: at most ${count(most(values(run)))}`,
    also(paper, y) {
      if (!scaled(run)) return;
      const steps = values(run).map((_, i) => y(wanted(run, end(i, run))));
      paper.stairs(run, steps, null, { class: "stroke ink" });
    },
  });
}

function cpuLane(page, name) {
  const values = (run) => run.report.timeline.services[name]?.cpu_share || [];
  return levelLane(page, {
    id: `cpu ${name}`, name, title: `${name}: CPU`, height: 60, top: 1, values, format: share, kind: "good",
    figures: [{ label: "in use", mark: "good", at: (i, run) => values(run)[i] ?? null, format: share }],
    say: `CPU of ${name}: at most ${share(most(values(page.run).map((value) => value || 0)))} in use`,
  });
}

function memoryLane(page, name) {
  const { run, base } = page;
  const values = (run) => run.report.timeline.services[name]?.memory_mib_max || [];
  const limit = run.memoryLimit(name);
  const top = Math.max(limit || 0, most([run, base].filter(Boolean).flatMap((one) => values(one).map((value) => value || 0)))) * 1.08 || 1;
  return levelLane(page, {
    id: `memory ${name}`, name, title: `${name}: memory`, height: 72, top, values, format: mib, kind: "memory",
    figures: [
      { label: "fullest replica", mark: "memory line", at: (i, run) => values(run)[i] ?? null, format: mib },
    ],
    say: `Memory of ${name}: at most ${mib(most(values(run).map((value) => value || 0)))}`,
    also(paper, y) {
      if (run.report.services[name]?.memory_limit_mib) paper.add(s("line", { class: "fault-end", x1: 0, x2: paper.width, y1: y(limit), y2: y(limit) }));
      for (const at of run.report.services[name]?.out_of_memory_s || []) {
        paper.add(s("path", { class: "cue failed", d: `M${paper.x(at)} 2l4 7h-8Z` }, s("title", {}, `killed for want of memory at ${at}s`)));
      }
    },
  });
}
