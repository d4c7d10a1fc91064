// A run that is under way: asks its server how it stands, and stays at now unless somebody looks back.

const EVERY = 1000;

/** Whether somebody has hold of something: then nothing is taken away. */
let held = false;
addEventListener("pointerdown", () => { held = true; });
addEventListener("pointerup", () => { held = false; });
addEventListener("pointercancel", () => { held = false; });

async function watch(data) {
  state.follow = true;
  let known = "";
  for (;;) {
    let told = null;
    try {
      const answer = await fetch("report.json", { cache: "no-store" });
      told = answer.ok ? await answer.text() : null;
    } catch {
      told = null;
    }
    document.documentElement.dataset.live = told === null ? "gone" : "yes";
    if (told !== null && told !== known && !held) {
      known = told;
      take(JSON.parse(told), data);
    }
    if (told === null && known) return;
    await new Promise((done) => setTimeout(done, EVERY));
  }
}

function take(report, data) {
  const [t, selected, scroll, speed] = [state.t, state.selected, scrollY, state.speed];
  const folds = new Map([...document.querySelectorAll("details")].map((one) => [one.firstChild.textContent, one.open]));
  const focus = document.activeElement && document.activeElement.id;
  const first = current === null;
  current = mount({ runs: [{ label: "", report }], layout: data.layout });
  // The step that is under way has only begun to fill.
  state.t = state.follow ? Math.max(0, state.end - 1.5 * current.run.step) : Math.min(t, state.end);
  state.selected = selected;
  for (const one of document.querySelectorAll("details")) one.open = folds.get(one.firstChild.textContent) ?? one.open;
  if (!first) {
    state.speed = speed;
    document.getElementById("speed").value = String(speed);
  }
  if (focus && document.getElementById(focus)) document.getElementById(focus).focus({ preventScroll: true });
  mark();
  showAll();
  scrollTo(0, scroll);
  document.documentElement.dataset.ready = "yes";
}
