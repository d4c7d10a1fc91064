# after ci has landed and is merged
import shutil
def sub(p, pairs):
    s=open(p).read()
    for a,b in pairs:
        if a not in s: print("MISSING",p,a[:70])
        s=s.replace(a,b,1)
    open(p,'w').write(s)
shutil.copy('./compare.rs','src/report/html/compare.rs')
sub('src/report/html/mod.rs',[('mod layout;\n','mod compare;\nmod layout;\n'),
('''    layout: Layout,
    /// Whether''','''    layout: Layout,
    /// What the second run changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Told<'r>>,
    /// Whether'''),
('layout: Layout::of(&report.graph), live: false };','layout: Layout::of(&report.graph), comparison: None, live: false };'),
('layout: Layout::of(&Graph::of(plan)), live: true };','layout: Layout::of(&Graph::of(plan)), comparison: None, live: true };'),
('''/// The page of a run that is under way, for''','''/// The page of two runs, each with its name, held against one another.
pub(crate) fn render_both(
    [(before, base), (after, new)]: [(&str, &Report); 2],
    found: &Comparison,
) -> Result<String, askama::Error> {
    let runs = vec![Labelled { label: before, report: base }, Labelled { label: after, report: new }];
    let data = Data { runs, layout: Layout::of(&new.graph), comparison: Some(Told::from(found)), live: false };
    page(&format!("{before} → {after}"), &found.sentence, &data)
}

/// The page of a run that is under way, for'''),
('use layout::{Direction','use compare::Told;\nuse layout::{Direction'),
('use squall_telemetry::report::{Graph','use squall_telemetry::compare::Comparison;\nuse squall_telemetry::report::{Graph'),
])
sub('src/cli.rs',[('''impl Run {
    /// The command that gives this run again: what decides it, and nothing of where it was written.
    pub(crate) fn again(&self, file: &str, seed: u64) -> String {
        let live = if self.live { " --live" } else { "" };
        let sets = self.overrides.sets().into_iter().filter(|(path, _)| path != "seed");''','''impl Overrides {
    /// The command that gives a run again: what decides it, and nothing of where it was written.
    pub(crate) fn again(&self, file: &str, live: bool, seed: u64) -> String {
        let live = if live { " --live" } else { "" };
        let sets = self.sets().into_iter().filter(|(path, _)| path != "seed");'''),
('run.again("a b.yaml", 4)','run.overrides.again("a b.yaml", run.live, 4)'),
('''    /// Write the comparison as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
''','''    /// Write the comparison as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write both runs as one page for a browser, drawn over one another; of several seeds the first
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
''')])
s=open('src/commands/compare.rs').read()
s=s.replace('''    let found = compare(&before, &after, &rules);
''','''    let found = compare(&before, &after, &rules);
    if let Some(path) = &typed.html {
        let seed = seeds.as_ref().and_then(|seeds| seeds.first().copied());
        let sides = [(&*typed.base, &base, &overrides), (&*typed.new, &new, &changed)];
        if let Some(exit) = write_page(sides, seed, &found, path)? {
            return Ok(exit);
        }
    }
''')
s=s.replace('''fn hand_in(typed: &Compare''','''/// Writes both runs as one page. Complains and answers the exit code if that cannot be.
fn write_page(
    [base, new]: [(&str, &Side, &Overrides); 2],
    seed: Option<u64>,
    found: &Comparison,
    path: &Path,
) -> io::Result<Option<Exit>> {
    let (before, after) = (base.1.pictured(base, seed)?, new.1.pictured(new, seed)?);
    let (Some(before), Some(after)) = (before, after) else {
        let hint = "compare topologies, or reports that `squall run FILE --json REPORT` wrote";
        output::error("a baseline has no figures over time, so there is nothing to draw", Some(hint))?;
        return Ok(Some(Exit::Wrong));
    };
    let [one, other] = [base.0, new.0].map(called);
    let other = if one == other { format!("{other}, changed") } else { other };
    let page = html::render_both([(&one, &before), (&other, &after)], found).map_err(io::Error::other)?;
    Ok((!output::write(path, page.as_bytes())?).then_some(Exit::CouldNotRun))
}

/// What a side is called on the page: its file's name without folder and ending.
fn called(name: &str) -> String {
    Path::new(name).file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn hand_in(typed: &Compare''',1)
s=s.replace('''/// Whether a text is one of ours in JSON''','''impl Side {
    /// A whole report of this side: run for this once where it is a topology. `None` if only figures were kept.
    fn pictured(&self, (name, _, overrides): (&str, &Self, &Overrides), seed: Option<u64>) -> io::Result<Option<Report>> {
        let topology = match self {
            Self::Sheets(_) => return kept(Path::new(name)),
            Self::Topology(topology) => topology,
        };
        let Some((plan, _)) = topology.plan(overrides)? else { return Ok(None) };
        let plan = Plan { seed: seed.unwrap_or(plan.seed), ..plan };
        let (mut report, _) = unseen(&plan);
        report.source = Some(topology.source(|file| overrides.again(file, false, plan.seed)));
        Ok(Some(report))
    }
}

/// The first report in a file or a folder; `None` if there is none.
fn kept(path: &Path) -> io::Result<Option<Report>> {
    let mut file = path.to_owned();
    if path.is_dir() {
        let files = std::fs::read_dir(path)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let json = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
        let Some(first) = json.min() else { return Ok(None) };
        file = first;
    }
    let text = std::fs::read_to_string(file)?;
    let one = serde_json::from_str(&text).ok();
    Ok(one.or_else(|| serde_json::from_str::<Vec<Report>>(&text).ok()?.into_iter().next()))
}

/// Whether a text is one of ours in JSON''',1)
s=s.replace("use crate::report::comparison;\n","use crate::report::{comparison, html};\n")
open('src/commands/compare.rs','w').write(s)
sub('tests/page/look.cjs',[('''/** Single requests: as long''','''/** Two runs on one page: every reading is of both, and the words are those of the comparison. */
async function twoRunsAreDrawnOver(browser) {
  const [html, json] = ["both.html", "both.json"].map((name) => path.join(folder, name));
  const compared = spawnSync(program, ["compare", "cascade", "cascade", "--set", "services.order.workers=400", "--html", html, "--json", json, "--quiet"], { encoding: "utf8" });
  assert.ok(compared.status === 0 || compared.status === 1, `exit ${compared.status}: ${compared.stderr}`);
  const found = JSON.parse(fs.readFileSync(json, "utf8"));
  const address = pathToFileURL(html).href;
  const opened = await browser.open(address);
  const { page } = opened;
  const runs = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent).runs.map((run) => run.report));
  const t = await scrub(page, 0.5 * runs[1].time.simulated_s);
  const both = await page.evaluate(() => Object.fromEntries([...document.querySelectorAll(".lane")].map((lane) => [lane.dataset.lane,
    [...lane.querySelectorAll(".reading")].map((row) => [...row.querySelectorAll(".figure")].map((node) => node.dataset.value))])));
  const sides = runs.map((report) => expected(report, t));
  for (const lane of ["latency checkout", "occupancy order", "occupancy stock-db"]) {
    Object.keys(sides[0][lane]).forEach((what, k) => [0, 1].forEach((side) =>
      assert.ok(close(both[lane][k][side], sides[side][lane][what]), `${lane}, ${what}: ${both[lane][k]}`)));
  }
  const text = await page.evaluate(() => document.getElementById("changes").textContent);
  for (const words of [found.sentence, "services.order.workers", "400"]) assert.ok(text.includes(words), words);
  quiet(opened, address);
  await page.close();
}

/** Single requests: as long'''),('''    await namesAreText(browser, evil);''','''    await twoRunsAreDrawnOver(browser);
    console.log("two runs are drawn over one another");
    await namesAreText(browser, evil);''')])
