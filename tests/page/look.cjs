// Looks at the report page as its readers do. look.cjs PROGRAM FOLDER
const assert = require("node:assert");
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { launch } = require("./browser.cjs");
const { expected } = require("./figures.cjs");

const [, , program, folder] = process.argv;
const SIZE = 2 << 20;

/** Runs a topology; where its page and its report are. */
function storm(topology, ...more) {
  const name = path.basename(topology, ".yaml");
  const [html, json] = [path.join(folder, `${name}.html`), path.join(folder, `${name}.json`)];
  const ran = spawnSync(program, ["run", topology, "--quiet", "--html", html, "--json", json, ...more], { encoding: "utf8" });
  assert.ok(ran.status === 0 || ran.status === 1, `${topology}: exit ${ran.status}: ${ran.stderr}`);
  return { name, html, address: pathToFileURL(html).href, report: JSON.parse(fs.readFileSync(json, "utf8")) };
}

const quiet = ({ complaints, requests }, address) => {
  assert.deepStrictEqual(complaints, [], "the console is silent");
  assert.deepStrictEqual(requests.filter((url) => !url.startsWith(address.split("#")[0])), [], "nothing is asked for");
};

/** Goes to a time as a person does, and waits until every picture is there. */
async function scrub(page, t) {
  await page.evaluate((t) => {
    const input = document.getElementById("time");
    input.value = String(t);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, t);
  await page.waitForFunction((wanted) => {
    const t = document.getElementById("scrubber").dataset.t;
    return Math.abs(Number(t) - wanted) < 1e-6 && [...document.querySelectorAll("[data-t]")].every((node) => node.dataset.t === t);
  }, t, { timeout: 5000 });
  return page.evaluate(() => Number(document.getElementById("scrubber").dataset.t));
}

/** By lane: the figures that stand in the document, raw. */
const readings = (page) => page.evaluate(() => Object.fromEntries([...document.querySelectorAll(".lane")].map((lane) => [lane.dataset.lane,
  [...lane.querySelectorAll(".reading > .figure")].map((node) => node.dataset.value)])));

function close(found, wanted) {
  if (wanted === null) return found === "null";
  if (typeof wanted === "string") return found === wanted;
  return Math.abs(Number(found) - wanted) <= 1e-9 * Math.max(1, Math.abs(wanted));
}

async function everyFigureIsTheReports(browser, { address, report, name }) {
  const opened = await browser.open(address);
  const { page } = opened;
  let figures = 0;
  for (const part of [0, 0.31, 0.5, 0.77, 1]) {
    const t = await scrub(page, part * report.time.simulated_s);
    const found = await readings(page);
    for (const [lane, wanted] of Object.entries(expected(report, t))) {
      assert.ok(found[lane], `${name}: there is no lane ${lane}`);
      assert.strictEqual(found[lane].length, Object.keys(wanted).length, `${name}, ${lane}: ${found[lane]} for ${JSON.stringify(wanted)}`);
      Object.entries(wanted).forEach(([what, value], k) => {
        assert.ok(close(found[lane][k], value), `${name} at ${t}: ${lane}, ${what} is ${found[lane][k]}, not ${value}`);
        figures += 1;
      });
    }
  }
  const system = await page.evaluate(() => ["goodput", "p99", "errors", "attempts"].map((id) => document.querySelector(`#number-${id} .value > .figure`).dataset.value));
  assert.ok(close(system[2], report.system.error_share) && close(system[3], report.system.attempts_per_request), `${name}: ${system}`);
  const cells = await page.evaluate(() => Object.fromEntries([...document.querySelectorAll(".table tbody tr")].map((row) =>
    [`${row.closest("table").caption.textContent}: ${row.dataset.name}`, row.querySelector("td").dataset.value])));
  for (const [service, row] of Object.entries(report.services)) assert.strictEqual(cells[`Services: ${service}`], String(row.requests));
  for (const [call, row] of Object.entries(report.calls)) assert.strictEqual(cells[`Calls: ${call}`], String(row.calls));
  quiet(opened, address);
  await page.close();
  return figures;
}

async function handsWork(browser, { address, report }) {
  const opened = await browser.open(address);
  const { page } = opened;
  await scrub(page, 10);
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((step) => Math.abs(Number(document.getElementById("scrubber").dataset.t) - 10 - step) < 1e-6, report.timeline.step_s);
  await page.keyboard.press("Home");
  await page.waitForFunction(() => document.getElementById("scrubber").dataset.t === "0");
  await page.keyboard.press("n");
  await page.waitForFunction((at) => Math.abs(Number(document.getElementById("scrubber").dataset.t) - at) < 1e-6, report.causes[0].at_s);
  await page.keyboard.press(" ");
  await page.waitForFunction((at) => Number(document.getElementById("scrubber").dataset.t) > at + 0.2, report.causes[0].at_s);
  assert.ok(await page.evaluate(() => document.body.classList.contains("playing")));
  await page.keyboard.press(" ");
  assert.ok(await page.evaluate(() => !document.body.classList.contains("playing")));
  // What went wrong: choosing a line goes there and selects what it is about.
  const last = report.causes.findIndex((cause) => cause.kind === "saturated");
  await page.click(`#story li:nth-child(${last + 1}) button`);
  await page.waitForFunction((at) => Math.abs(Number(document.getElementById("scrubber").dataset.t) - at) < 1e-6, report.causes[last].at_s);
  const chosen = `service:${report.causes[last].subject}`;
  const selected = await page.evaluate(() => [...new Set([...document.querySelectorAll(".selected")].map((node) => node.dataset.key))]);
  assert.deepStrictEqual(selected, [chosen], "selected everywhere, and nothing else");
  assert.ok(await page.evaluate((name) => document.querySelector(".panel h3").textContent.startsWith(name), report.causes[last].subject));
  await page.keyboard.press("Escape");
  assert.strictEqual(await page.evaluate(() => document.querySelectorAll(".selected").length), 0);
  // Tables are sorted.
  const column = await page.evaluate(() => {
    const table = document.querySelector(".table:nth-of-type(2) table") || document.querySelector("table");
    const head = table.querySelectorAll("thead th")[1];
    head.querySelector("button").click();
    return { sort: head.getAttribute("aria-sort"), values: [...table.querySelectorAll("tbody tr")].map((row) => Number(row.children[1].dataset.value)) };
  });
  assert.strictEqual(column.sort, "descending");
  assert.deepStrictEqual(column.values, [...column.values].sort((a, b) => b - a));
  // The moment is in the address.
  await page.waitForTimeout(150);
  assert.match(page.url(), /#t=/);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(".buttons button")]);
  assert.deepStrictEqual(JSON.parse(fs.readFileSync(await download.path(), "utf8")), report, "the JSON from the page is the report");
  assert.strictEqual(await page.evaluate(() => document.querySelector(".command code").textContent), report.source.command);
  assert.strictEqual(await page.evaluate(() => document.querySelector(".file code").textContent), report.source.topology);
  quiet(opened, address);
  await page.close();
}

async function namesAreText(browser, { html, address, report }, names = [report.scenario, report.about]) {
  const opened = await browser.open(address);
  // What is out of sight is not laid out, and no `innerText`.
  const shown = await opened.page.evaluate(() => document.getElementById("app").textContent);
  for (const text of [...names, Object.keys(report.load)[0], report.faults[0].name]) assert.ok(shown.includes(text), `shown as it is: ${text}`);
  assert.strictEqual(await opened.page.evaluate(() => window.pwned), undefined);
  quiet(opened, address);
  await opened.page.close();
  // A report that was changed by hand: names of services that no topology file can have.
  const evil = "<svg onload=window.pwned=1>\"'🚀";
  const file = html.replace(".html", "-changed.html");
  fs.writeFileSync(file, fs.readFileSync(html, "utf8").replaceAll("doorstep", JSON.stringify(evil).slice(1, -1).replaceAll("<", "\\u003c")));
  const again = await browser.open(pathToFileURL(file).href);
  assert.strictEqual(await again.page.evaluate(() => window.pwned), undefined);
  assert.ok((await again.page.evaluate(() => document.querySelector("#tables").textContent)).includes(evil));
  quiet(again, pathToFileURL(file).href);
  await again.page.close();
}

async function fitsEveryWidth(browser, pages) {
  for (const { address, name } of pages) {
    for (const width of [360, 768, 1440, 3840]) {
      for (const dark of [false, true]) {
        const opened = await browser.open(address, { width, height: 900, dark });
        const wide = await opened.page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${name} is ${wide} wide at ${width}`);
        const overlapping = await opened.page.evaluate(overlaps);
        assert.deepStrictEqual(overlapping, [], `${name} at ${width}`);
        // Pictures to look at, of which a few do.
        if (width < 3840 && (width === 1440 || !dark)) {
          await opened.page.screenshot({ path: path.join(folder, `${name}-${width}${dark ? "-dark" : ""}.png`), fullPage: true });
        }
        quiet(opened, address);
        await opened.page.close();
      }
    }
  }
}

/** Texts of the graph that lie over one another, or out of their box. */
function overlaps() {
  const found = [];
  const nodes = [...document.querySelectorAll(".graph-holder .node")];
  for (const node of nodes) {
    const box = node.querySelector(".box").getBoundingClientRect();
    const texts = [...node.querySelectorAll("text")].filter((text) => text.textContent).map((text) => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([text, a], i) => {
      if (a.left < box.left - 1 || a.right > box.right + 1 || a.top < box.top - 1 || a.bottom > box.bottom + 1) found.push(`out of its box: ${text}`);
      for (const [other, b] of texts.slice(i + 1)) {
        const over = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const under = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (over > 1 && under > 4) found.push(`${text} over ${other}`);
      }
    });
  }
  return found;
}

/** How long the main thread works for each frame of scrubbing, by Chromium's own trace: its CPU time, so that other work on
 * the machine does not count. */
async function scrubsSmoothly(browser, { address }) {
  const opened = await browser.open(address, { width: 1440 });
  const { page } = opened;
  const session = await browser.context.newCDPSession(page);
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["disabled-by-default-devtools.timeline", "devtools.timeline", "toplevel"] } });
  const frames = await page.evaluate(() => new Promise((done) => {
    const input = document.getElementById("time");
    let frame = 0;
    const next = () => {
      input.value = String((frame / 120) * Number(input.max));
      input.dispatchEvent(new Event("input", { bubbles: true }));
      frame += 1;
      if (frame < 120) requestAnimationFrame(next);
      else done(frame);
    };
    requestAnimationFrame(next);
  }));
  const complete = new Promise((done) => session.once("Tracing.tracingComplete", done));
  await session.send("Tracing.end");
  await complete;
  const names = ["FireAnimationFrame", "UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Layerize", "Commit"];
  const tasks = events.filter((event) => event.ph === "X" && names.includes(event.name));
  assert.ok(tasks.length >= frames && tasks.every((event) => event.tdur !== undefined), "a trace with CPU times");
  const busy = tasks.reduce((sum, event) => sum + event.tdur, 0) / 1000 / frames;
  assert.ok(busy < 16.7, `${busy.toFixed(1)} ms of the main thread for each frame`);
  quiet(opened, address);
  await page.close();
  return busy;
}

/** A live run, watched while it goes on: the last that the page shows is the report. */
async function liveRunsAreShown(browser) {
  const json = path.join(folder, "live.json");
  const storming = spawn(program, ["run", path.join(__dirname, "evil.yaml"), "--live", "--ui", "--quiet", "--json", json, "--duration", "8s"], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  const address = await new Promise((found, failed) => {
    storming.stderr.on("data", (text) => {
      said += text;
      const page = said.match(/page (http:\/\/127\.0\.0\.1:\d+\/)/);
      if (page) found(page[1]);
    });
    storming.on("exit", () => failed(new Error(`no page: ${said}`)));
  });
  const over = new Promise((done) => storming.on("exit", done));
  const foreign = await fetch(`${address}report.json`, { headers: { origin: "http://example.org" } });
  assert.strictEqual(foreign.status, 403, "not for pages from elsewhere");
  const opened = await browser.open(address);
  const { page } = opened;
  const first = await page.evaluate(() => Number(document.getElementById("scrubber").dataset.t));
  await page.waitForFunction((first) => Number(document.getElementById("scrubber").dataset.t) > first + 1, first, { timeout: 10000 });
  await over;
  await page.waitForFunction(() => document.documentElement.dataset.live === "gone", null, { timeout: 5000 });
  const report = JSON.parse(fs.readFileSync(json, "utf8"));
  assert.ok(await page.evaluate(() => document.querySelectorAll(".trace .row").length) > 4, "requests are followed while it runs");
  const shown = await page.evaluate(() => document.querySelector("#tables .table tbody tr td").dataset.value);
  assert.strictEqual(shown, String(Object.values(report.load)[0].offered), "the page ends with what the report says");
  assert.ok(opened.requests.every((url) => url.startsWith(address)), "it asks its own server alone");
  assert.deepStrictEqual(opened.complaints.filter((text) => !/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/.test(text)), []);
  await page.close();
}

/** What a command that writes a page and JSON wrote. */
function written(name, ...command) {
  const [html, json] = [path.join(folder, `${name}.html`), path.join(folder, `${name}.json`)];
  const ran = spawnSync(program, [...command, "--quiet", "--html", html, "--json", json], { encoding: "utf8" });
  assert.ok(ran.status === 0 || ran.status === 1, `${command.join(" ")}: exit ${ran.status}: ${ran.stderr}`);
  return { name, html, address: pathToFileURL(html).href, found: JSON.parse(fs.readFileSync(json, "utf8")) };
}

/** Two runs on one page: every reading is of both, and the words are those of the comparison. */
async function twoRunsAreDrawnOver(browser, { address, found, name }) {
  const opened = await browser.open(address);
  const { page } = opened;
  const runs = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent).runs.map((run) => run.report));
  let figures = 0;
  for (const part of [0.2, 0.5, 0.9]) {
    const t = await scrub(page, part * Math.min(...runs.map((run) => run.time.simulated_s)));
    const both = await page.evaluate(() => Object.fromEntries([...document.querySelectorAll(".lane")].map((lane) => [lane.dataset.lane,
      [...lane.querySelectorAll(".reading")].map((row) => [...row.querySelectorAll(".figure")].map((node) => node.dataset.value))])));
    const sides = runs.map((report) => expected(report, t));
    for (const lane of Object.keys(sides[1]).filter((lane) => sides[0][lane])) {
      const [before, now] = sides.map((side) => side[lane]);
      const shared = Object.keys(now).every((what) => what in before) && Object.keys(before).length === Object.keys(now).length;
      if (!shared) continue;
      assert.ok(both[lane], `${name}: there is no lane ${lane}`);
      Object.keys(now).forEach((what, k) => [before, now].forEach((side, which) => {
        assert.ok(close(both[lane][k][which], side[what]), `${name} at ${t}: ${lane}, ${what}: ${both[lane][k]}, not ${before[what]} and ${now[what]}`);
        figures += 1;
      }));
    }
  }
  assert.ok(figures > 50, `${figures} figures`);
  const text = await page.evaluate(() => document.getElementById("changes").textContent);
  for (const { path, base, new: now } of found.settings) {
    for (const words of [path, base, now].filter(Boolean)) assert.ok(text.includes(words), `${name}: the setting ${words}`);
  }
  for (const line of [...found.broken, ...found.mended]) assert.ok(text.includes(line), `${name}: ${line}`);
  const cells = await page.evaluate(() => [...document.querySelectorAll(".changed tbody tr")].map((row) => [row.dataset.name, row.children[1].textContent, row.children[2].dataset.value ?? null, row.children[3].dataset.value ?? null]));
  const counted = found.changes.filter((change) => change.counts);
  assert.ok(cells.length > 0 && cells.length === Math.min(counted.length, 60), `${cells.length} rows`);
  cells.forEach(([subject, , base, now], k) => {
    assert.strictEqual(subject, counted[k].subject);
    [[base, counted[k].base], [now, counted[k].new]].forEach(([shown, value]) => assert.ok(value === null ? shown === null : close(shown, value), `${name}: ${subject}`));
  });
  // The same scale in both: the base's curve is drawn, wherever there is one.
  assert.ok(await page.evaluate(() => document.querySelectorAll(".stroke.base").length) >= 2);
  // Either run can be replayed.
  if (await page.evaluate(() => document.querySelectorAll(".sides button").length === 2)) {
    const now = () => page.evaluate(() => [...document.querySelectorAll(".graph-holder .fact")].map((node) => node.textContent).join("|"));
    const after = await now();
    await page.click(".sides button:first-child");
    assert.strictEqual(await page.evaluate(() => document.querySelector(".sides button").getAttribute("aria-pressed")), "true");
    assert.strictEqual((await now()).split("|").length, after.split("|").length);
  }
  quiet(opened, address);
  await page.close();
  return figures;
}

/** What the system bears: a dot a step, up and down, and the figures of the JSON. */
async function theCapacityIsDrawn(browser, { address, found, name }) {
  const opened = await browser.open(address);
  const { page } = opened;
  const shown = await page.evaluate(() => ({
    up: document.querySelectorAll(".capacity .dot.up").length,
    down: document.querySelectorAll(".capacity .dot.down").length,
    rows: [...document.querySelectorAll("#capacity tbody tr")].map((row) => [...row.querySelectorAll("td")].map((cell) => cell.dataset.value ?? null)),
    marks: [...document.querySelectorAll(".capacity .fault-name")].map((node) => node.textContent),
    sentence: document.querySelector(".sentence").textContent,
  }));
  const count = (direction) => found.steps.filter((step) => step.direction === direction).length;
  assert.deepStrictEqual([shown.up, shown.down], [count("up"), count("down")], name);
  found.steps.forEach((step, i) => [step.offered_per_s, step.goodput_per_s, step.p99_ms].forEach((value, k) =>
    assert.ok(value === null ? shown.rows[i][k] === null : close(shown.rows[i][k], value), `${name}, step ${i}: ${shown.rows[i]}`)));
  assert.deepStrictEqual(shown.marks.map((text) => text.split(" ")[0]), ["knee", "collapse"].filter((what) => found[what]));
  assert.ok(shown.sentence.toLowerCase().includes(found.sentence.toLowerCase()), shown.sentence);
  quiet(opened, address);
  await page.close();
}

/** Single requests: as long as the report says, and their parts add up. */
async function requestsAreFollowed(browser, { address, report, name }) {
  assert.ok(report.traces.length >= 2, `${name} follows requests`);
  const { page } = await browser.open(address);
  const shown = await page.evaluate(() => [...document.querySelectorAll(".trace")].map((trace) => ({
    at: trace.dataset.trace, latency: Number(trace.querySelector("header .figure").dataset.value), rows: trace.querySelectorAll(".row").length })));
  report.traces.forEach((trace, i) => {
    assert.strictEqual(shown[i].at, trace.at);
    assert.ok(close(shown[i].latency, trace.latency_ns / 1e6) && shown[i].rows > 0, `${name}: ${JSON.stringify(shown[i])}`);
    assert.strictEqual(trace.by_cause.reduce((sum, part) => sum + part.ns, 0), trace.latency_ns);
  });
  await page.close();
}

async function main() {
  const began = Date.now();
  const pages = ["cascade", "cascade-breaker", "retry-storm", "metastable", "social"].map((topology) => storm(topology));
  // What services run on, and what they talk to besides each other.
  const more = ["autoscaling", "slow-leak", "metastable-cache", "asynchronous-chain"].map((topology) => storm(topology));
  const evil = storm(path.join(__dirname, "evil.yaml"));
  const file = path.join(__dirname, "evil.yaml");
  const compared = [
    written("one-knob", "compare", "cascade", "cascade", "--set", "services.order.workers=400"),
    written("two-files", "compare", "cascade", "cascade-breaker"),
    written("two-caches", "compare", "metastable-cache", "metastable-cache-recovers"),
    written("evil-compared", "compare", file, file, "--set", "services.back.workers=3"),
  ];
  const capacities = [written("capacity", "capacity", "retry-storm"), written("evil-capacity", "capacity", file, "--hold", "4s")];
  const browser = await launch();
  try {
    for (const { html, name } of [...pages, ...more, evil, ...compared, ...capacities]) {
      const text = fs.readFileSync(html, "utf8");
      assert.ok(text.length < SIZE, `${name}: ${text.length} bytes`);
      assert.match(text, /Content-Security-Policy" content="default-src &#39;none&#39;;|Content-Security-Policy" content="default-src 'none';/);
      assert.ok(!/unsafe-(inline|eval)/.test(text.slice(0, 2000)));
    }
    for (const one of [...pages, ...more, evil]) console.log(`${one.name}: ${await everyFigureIsTheReports(browser, one)} figures of the pictures are those of the report, at 5 times`);
    await handsWork(browser, pages[0]);
    console.log("mouse, keyboard, tables and download work");
    for (const one of pages) await requestsAreFollowed(browser, one);
    console.log("single requests are those of the report");
    await liveRunsAreShown(browser);
    console.log("a live run is shown while it goes on");
    for (const one of compared) console.log(`${one.name}: ${await twoRunsAreDrawnOver(browser, one)} figures of two runs drawn over one another are those of their reports`);
    for (const one of capacities) {
      await theCapacityIsDrawn(browser, one);
      await everyFigureIsTheReports(browser, { ...one, report: one.found.run });
    }
    console.log("the capacity curve, and the run it is of, are those of the JSON");
    await requestsAreFollowed(browser, storm("chain", "--live", "--duration", "3s", "--set", "expect=[]", "--set", "phases={}"));
    console.log("requests over real HTTP are followed");
    await namesAreText(browser, evil);
    console.log("names are text");
    await namesAreText(browser, { ...evil, ...compared[3] }, []);
    await namesAreText(browser, { ...evil, ...capacities[1] });
    await fitsEveryWidth(browser, [pages[0], pages[4], evil, ...more, ...compared.slice(1), ...capacities]);
    console.log("fits 360, 768, 1440 and 3840 pixels, light and dark");
    const social = pages[4];
    const start = process.hrtime.bigint();
    storm("social");
    const took = Number(process.hrtime.bigint() - start) / 1e6;
    if (/release/.test(program)) assert.ok(took < 300, `social and its page take ${took.toFixed(0)} ms`);
    const opened = await browser.open(social.address);
    const ready = await opened.page.evaluate(() => performance.now() && performance.getEntriesByType("navigation")[0].domComplete);
    await opened.page.close();
    assert.ok(ready < 1000, `interactive after ${ready} ms`);
    const busy = await scrubsSmoothly(browser, social);
    console.log(`social: ${fs.statSync(social.html).size} bytes, run and written in ${took.toFixed(0)} ms, interactive after ${ready.toFixed(0)} ms, ${busy.toFixed(1)} ms a frame while scrubbing`);
  } finally {
    await browser.close();
  }
  console.log(`the page held, in ${((Date.now() - began) / 1000).toFixed(0)} s`);
}

main().catch((error) => {
  console.error(error.message || error);
  process.exit(1);
});
