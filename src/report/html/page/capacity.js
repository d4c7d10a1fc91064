// What the system bears: goodput against offered load, up and down again. Where the way down is not the way up, something
// stayed broken.

function capacitySection(page) {
  const found = page.capacity;
  if (!found) return null;
  const holder = h("div", { class: "capacity" });
  page.redraw.push(() => drawCapacity(holder, found));
  const point = (value) => (value ? `${rate(value.offered_per_s)}` : "none found");
  const rows = [["knee", point(found.knee)], ["most goodput", `${rate(found.peak.goodput_per_s)} at ${rate(found.peak.offered_per_s)}`], ["collapse", point(found.collapse)],
    ["on the way down", found.hysteresis ? `worse than on the way up${found.recovers_at_per_s === null ? "; it never kept up again" : `; keeps up again at ${rate(found.recovers_at_per_s)}`}` : "as on the way up"],
    found.limit && ["ran out first", found.limit]].filter(Boolean);
  return section("capacity", "Capacity", `Load raised in steps of ${duration(found.hold_s * 1000)} and lowered again; the file's own load is ${rate(found.usual_per_s)}.`,
    h("div", { class: "stage" }, holder, h("div", { class: "panel" }, h("dl", {}, rows.map(([label, text]) => [h("dt", {}, label), h("dd", {}, h("b", {}, text))])))),
    h("ul", { class: "legend" }, h("li", {}, h("i", { class: "mark good", "aria-hidden": "true" }), "going up"), h("li", {}, h("i", { class: "mark base", "aria-hidden": "true" }), "coming down")),
    h("details", { class: "file" }, h("summary", {}, `All ${found.steps.length} steps`), capacityTable(found)));
}

function drawCapacity(node, found) {
  const width = node.clientWidth;
  if (!width) return;
  const [height, left, bottom] = [320, 54, 34];
  const top = Math.max(most(found.steps.map((step) => step.offered_per_s)), most(found.steps.map((step) => step.goodput_per_s))) * 1.05;
  const x = (value) => left + (value / top) * (width - left - 14);
  const y = (value) => height - bottom - (value / top) * (height - bottom - 12);
  const svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Goodput against offered load, up and down" });
  for (const tick of ticks(top, 5)) {
    svg.append(s("line", { class: "grid", x1: left, x2: width - 14, y1: y(tick), y2: y(tick) }),
      s("text", { class: "tick", x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, number(tick)),
      s("text", { class: "tick", x: x(tick), y: height - bottom + 16, "text-anchor": "middle" }, number(tick)));
  }
  svg.append(s("text", { class: "tick", x: width - 14, y: height - 3, "text-anchor": "end" }, "offered, requests/s"), s("text", { class: "tick", x: left + 4, y: 11 }, "goodput, requests/s"),
    s("line", { class: "axis", x1: x(0), y1: y(0), x2: x(top / 1.05), y2: y(top / 1.05) }));
  for (const [direction, kind] of [["down", "base"], ["up", "good thick"]]) {
    const steps = found.steps.filter((step) => step.direction === direction);
    svg.append(s("path", { class: `stroke ${kind}`, d: steps.map((step, i) => `${i ? "L" : "M"}${x(step.offered_per_s).toFixed(1)} ${y(step.goodput_per_s).toFixed(1)}`).join("") }));
    for (const step of steps) {
      svg.append(s("circle", { class: `dot ${direction}`, cx: x(step.offered_per_s), cy: y(step.goodput_per_s), r: 3.4 },
        s("title", {}, `${direction}: ${rate(step.offered_per_s)} offered, ${rate(step.goodput_per_s)} goodput${step.p99_ms === null ? "" : `, p99 ${duration(step.p99_ms)}`}`)));
    }
  }
  let names = -1;
  for (const [name, point] of [["knee", found.knee], ["collapse", found.collapse]]) {
    if (!point) continue;
    names += 1;
    svg.append(s("line", { class: "fault-end", x1: x(point.offered_per_s), x2: x(point.offered_per_s), y1: 16 + names * 14, y2: height - bottom }),
      s("text", { class: "fault-name", x: x(point.offered_per_s), y: 12 + names * 14, "text-anchor": x(point.offered_per_s) > width - 60 ? "end" : "middle" }, `${name} ${rate(point.offered_per_s)}`));
  }
  node.replaceChildren(svg);
}

function capacityTable(found) {
  const rows = Object.fromEntries(found.steps.map((step, i) => [`${i + 1}. ${step.direction}`, step]));
  return table("Steps", rows, null, [["offered", (row) => row.offered_per_s, rate], ["goodput", (row) => row.goodput_per_s, rate], ["p99", (row) => row.p99_ms, duration]]);
}
