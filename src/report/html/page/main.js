// Puts the page together from what is embedded in it, or, where a run is under way, from what its server tells.

let keys = null;

/** Shows `data`: {runs: [{label, report}], layout}. Of two runs the first is the base that the other is held against. */
function mount(data) {
  const runs = data.runs.map(({ report, label }) => new Run(report, label));
  const run = runs[runs.length - 1];
  const page = { run, base: runs.length > 1 ? runs[0] : null, layout: data.layout, comparison: data.comparison, capacity: data.capacity, redraw: [] };
  if (page.base) page.base.first = true;
  forget();
  lanes = [];
  state.end = most(runs.map((run) => run.end));
  const score = h("div", { class: "score" });
  const sections = [offeredSection, latencySection, attemptsSection, breakersSection, occupancySection, machinesSection, storesSection, redSection];
  const main = h("main", { id: "main" }, verdict(page), comparisonSection(page), capacitySection(page), graphSection(page), score, tracesSection(page), tablesSection(page), sourceSection(page), foot());
  score.append(...sections.map((section) => section(page)).filter(Boolean));
  nowLine(score);
  const bar = scrubber(page);
  document.getElementById("app").replaceChildren(h("a", { class: "skip", href: "#time" }, "Skip to the time"), themeButton(), main, bar);
  document.title = `${run.report.scenario} · squall`;
  page.redraw.push(drawLanes);
  redraw(page);
  if (keys) document.removeEventListener("keydown", keys);
  keys = keyboard(page);
  document.addEventListener("keydown", keys);
  return page;
}

function redraw(page) {
  for (const draw of page.redraw) draw();
  mark();
  showAll();
}

function foot() {
  return h("footer", {}, "Space plays, ← → step (Shift: ten steps), n and p go to what went wrong next and before, Esc lets go of what is selected.");
}

/** Follows the system, unless somebody chooses. */
function themeButton() {
  const root = document.documentElement;
  return h("button", { class: "button theme", "aria-label": "Light or dark", title: "Light or dark", onclick: () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    if (current) redraw(current);
  } }, "◐");
}

let current = null;

function begin() {
  const data = JSON.parse(document.getElementById("data").textContent);
  if (data.live) return watch(data);
  current = mount(data);
  const recalled = recall();
  state.t = recalled.t === null ? tellingMoment(current.run) : Math.min(recalled.t, state.end);
  if (recalled.of) select(recalled.of);
  showAll();
  document.documentElement.dataset.ready = "yes";
}

let width = 0;
let resizing = 0;
new ResizeObserver(() => {
  if (!current || Math.abs(document.documentElement.clientWidth - width) < 1) return;
  width = document.documentElement.clientWidth;
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(() => redraw(current));
}).observe(document.documentElement);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => current && redraw(current));
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  if (current) redraw(current);
});

begin();
