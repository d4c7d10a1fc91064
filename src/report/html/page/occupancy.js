// Who was busy when: a row a pool, in the order of the graph, so that a cascade is seen to climb.

function occupancySection(page) {
  const { run } = page;
  const rows = inGraphOrder(page).filter(({ node }) => run.pool(node.kind, node.name));
  if (rows.length === 0) return null;
  const longest = most(rows.flatMap(({ node }) => run.pool(node.kind, node.name).queue));
  return section("occupancy", "Pools and queues",
    "Upper half of a row: workers or connections busy, full in the colour of failure. Lower half: how many waited. From the users down to the databases.",
    rows.map(({ node }) => occupancyLane(page, node, longest)));
}

/** Nodes as the drawing has them: layer by layer. */
function inGraphOrder(page) {
  const boxes = page.layout.right.boxes;
  const nodes = page.run.report.graph.nodes.map((node, i) => ({ node, box: boxes[i] }));
  return nodes.sort((a, b) => a.box.x - b.box.x || a.box.y - b.box.y);
}

function occupancyLane(page, node, longest) {
  const { run, base } = page;
  const { kind, name } = node;
  const height = base ? 36 : 20;
  const of = (field) => (i, run) => run.pool(kind, name)?.[field][i];
  const pool = run.pool(kind, name);
  const peak = most(pool.busy);
  return lane(page, {
    id: `occupancy ${name}`, key: `${kind}:${name}`, title: name, height, class: base ? "slim row two" : "slim row",
    figures: [
      { label: pool.limit ? `of ${pool.limitAt(0) === pool.limit ? "" : "at most "}${count(pool.limit)}` : "busy", mark: "good", at: of("busy"), format: number },
      { label: "waiting", mark: "retry", at: of("queue"), format: number },
    ],
    say: `${name}: at most ${number(peak)} ${pool.unit} busy, ${number(most(pool.queue))} waiting`,
    draw(paper) {
      const inks = { good: colour("--good"), bad: colour("--bad"), retry: colour("--retry"), gridline: colour("--grid") };
      paper.canvas((ink) => {
        heatRow(paper, ink, { run, kind, name, y: 0, longest, inks });
        if (base && base.pool(kind, name)) heatRow(paper, ink, { run: base, kind, name, y: 18, longest, inks, faint: true });
      });
    },
  });
}

function heatRow(paper, ink, { run, kind, name, y, longest, inks, faint }) {
  const { busy, queue, limit, limitAt } = run.pool(kind, name);
  const top = most(busy) || 1;
  ink.globalAlpha = 1;
  ink.fillStyle = inks.gridline;
  ink.fillRect(0, y + 1, paper.width, 10);
  busy.forEach((value, i) => {
    const [from, to] = [paper.x(i * run.step), paper.x(Math.min((i + 1) * run.step, run.end))];
    const width = Math.max(to - from - 0.4, 0.6);
    const used = Math.min(value / (limitAt(i) || top), 1);
    const full = limit && used >= 0.995;
    if (used > 0.001) {
      ink.globalAlpha = (faint ? 0.5 : 1) * (full ? 1 : 0.1 + 0.75 * used);
      ink.fillStyle = full ? inks.bad : inks.good;
      ink.fillRect(from, y + 1, width, 10);
    }
    if (queue[i] > 0.01) {
      ink.globalAlpha = (faint ? 0.5 : 1) * (0.25 + 0.75 * (Math.log1p(queue[i]) / Math.log1p(Math.max(longest, 1))));
      ink.fillStyle = inks.retry;
      ink.fillRect(from, y + 12, width, 5);
    }
  });
}
