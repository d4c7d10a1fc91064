// The time of the page: play, speed, and a track that shows the whole run in little.

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 500, 1000];

function scrubber(page) {
  const { run } = page;
  const wanted = run.end / 20;
  state.speed = SPEEDS.reduce((best, speed) => (Math.abs(Math.log(speed / wanted)) < Math.abs(Math.log(best / wanted)) ? speed : best));
  const button = h("button", { class: "play", id: "play", "aria-label": "Play", onclick: () => play(!state.playing) },
    s("svg", { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { class: "go", d: "M3 1.5L14 8L3 14.5Z" }), s("path", { class: "stop", d: "M3 2H6.5V14H3ZM9.5 2H13V14H9.5Z" })));
  const speed = h("select", { id: "speed", "aria-label": "Speed", onchange: () => { state.speed = Number(speed.value); } },
    SPEEDS.map((one) => h("option", { value: one, selected: one === state.speed }, `${one}×`)));
  const now = h("output", { class: "moment", id: "now", for: "time" });
  const phase = h("span", { class: "phase" });
  const track = h("div", { class: "track" });
  const input = h("input", { type: "range", id: "time", min: 0, max: state.end, step: "any", "aria-label": "Time", oninput: () => { play(false); follow(false); seek(Number(input.value)); } });
  const picture = h("div", { class: "track-picture", "aria-hidden": "true" });
  const needle = h("div", { class: "needle", "aria-hidden": "true" });
  track.append(picture, needle, input);
  const bar = h("div", { class: "scrubber", id: "scrubber" }, h("div", { class: "controls" }, button, h("div", { class: "clock" }, now, phase), speed), track);
  onTime(bar, (t) => {
    bar.setAttribute("data-t", String(t));
    say(now, at(Number(t.toFixed(run.step >= 1 ? 1 : 2))));
    say(phase, phaseAt(run, t));
    input.value = String(t);
    needle.style.setProperty("--part", String(t / state.end));
    input.setAttribute("aria-valuetext", `${at(t)} ${phase.textContent}`);
    button.setAttribute("aria-label", state.playing ? "Pause" : "Play");
  });
  page.redraw.push(() => drawTrack(page, picture));
  return bar;
}

function phaseAt(run, t) {
  const faults = run.faultsAt(t);
  if (faults.length > 0) return `⚡ ${faults.map((fault) => fault.name).slice(0, 2).join(", ")}`;
  const phase = (run.report.phases || []).find((phase) => phase.from_s <= t && t < phase.to_s);
  if (phase) return phase.name;
  return run.report.time.load_s && t > run.report.time.load_s ? "draining" : "";
}

function drawTrack(page, node) {
  const { run } = page;
  const width = node.clientWidth;
  const height = 44;
  const paper = new Paper(page, width, height);
  const [offered, failed] = [run.perSecond(run.total("offered")), run.perSecond(run.total("failed"))];
  const good = run.perSecond(added([run.total("ok"), run.total("degraded")]));
  const top = Math.max(most(offered), most(added([good, failed]))) || 1;
  const base = 28;
  const y = (value) => base - (value / top) * (base - 3);
  paper.faults();
  paper.stairs(run, good.map(y), good.map(() => base), { class: "area good" });
  paper.stairs(run, added([good, failed]).map(y), good.map(y), { class: "area bad" });
  paper.stairs(run, offered.map(y), null, { class: "stroke ink" });
  for (const cause of run.report.causes) {
    const x = paper.x(cause.at_s);
    paper.add(s("path", { class: `cue ${cause.kind}`, d: `M${x} ${base + 1}l3 5h-6Z` }));
  }
  let free = -Infinity;
  for (const time of timeTicks(state.end, Math.max(width / 80, 2))) {
    const x = paper.x(time);
    const anchor = time === 0 ? "start" : x > width - 20 ? "end" : "middle";
    if (x > width + 1 || x < free) continue;
    free = x + 44;
    paper.text(x, height - 2, time === 0 ? "0" : at(time), { "text-anchor": anchor });
  }
  node.replaceChildren(paper.svg);
}

/** The line that is now, across all lanes. */
function nowLine(score) {
  const line = h("div", { class: "now-line", "aria-hidden": "true" });
  score.append(line);
  onTime(score, (t) => {
    line.style.setProperty("--part", String(t / state.end));
    score.setAttribute("data-t", String(t));
  });
}

function follow(on) {
  state.follow = on;
}

function keyboard(page) {
  const { run } = page;
  const causes = () => run.report.causes.map((cause) => cause.at_s);
  const keys = {
    " ": () => play(!state.playing),
    ArrowRight: (big) => seek(state.t + run.step * (big ? 10 : 1)),
    ArrowLeft: (big) => seek(state.t - run.step * (big ? 10 : 1)),
    Home: () => seek(0),
    End: () => seek(state.end),
    n: () => { const next = causes().find((time) => time > state.t + 1e-6); if (next !== undefined) seek(next); },
    p: () => { const before = causes().filter((time) => time < state.t - 1e-6).pop(); if (before !== undefined) seek(before); },
    Escape: () => { if (state.selected) select(state.selected); },
  };
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest && event.target.closest("input, select, textarea, pre");
    const pressing = event.key === " " && event.target.closest && event.target.closest("button, summary, a");
    const key = keys[event.key];
    if (!key || typing || pressing) return;
    if (event.key !== " " && event.key !== "Escape") play(false);
    event.preventDefault();
    follow(false);
    key(event.shiftKey);
  };
}
