// A run that is under way: asks its server how it stands, and stays at now unless somebody looks back.

const EVERY = 1000;

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
    if (told !== null && told !== known) {
      known = told;
      take(JSON.parse(told), data);
    }
    if (told === null && known) return;
    await new Promise((done) => setTimeout(done, EVERY));
  }
}

function take(report, data) {
  const [t, selected, scroll] = [state.t, state.selected, scrollY];
  current = mount({ runs: [{ label: "", report }], layout: data.layout });
  // The step that is under way has only begun to fill.
  state.t = state.follow ? Math.max(0, state.end - 1.5 * current.run.step) : Math.min(t, state.end);
  state.selected = selected;
  mark();
  showAll();
  scrollTo(0, scroll);
  document.documentElement.dataset.ready = "yes";
}
