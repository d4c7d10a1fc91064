// How to run it again: the command, the seed, the file as it was run, and all figures as JSON.

function sourceSection(page) {
  const { report } = page.run;
  const source = report.source;
  const parts = [source, page.base && page.base.report.source].filter(Boolean);
  const same = parts.length === 2 && parts[0].topology === parts[1].topology;
  return section("source", "Run it again", report.world === "live" ? "Over real HTTP no two runs are the same; without --live they are." : "The same file, seed and version give the same run, bit for bit.",
    h("div", { class: "again" }, [page.base, page.run].filter((run) => run && run.report.source).map((run) => command(run))),
    h("p", { class: "note" }, `Seed ${report.seed} · digest `, h("code", {}, report.digest), report.engine.events > 0 && ` · ${count(report.engine.events)} events, at most ${count(report.engine.peak_in_flight)} requests in flight`),
    h("p", { class: "buttons" }, [page.base, page.run].filter(Boolean).map((run) => h("button", { class: "button", onclick: () => download(run.report) },
      page.base ? `Download ${run.label} as JSON` : "Download all figures as JSON"))),
    parts.slice(0, same ? 1 : 2).map((one, i) => h("details", { class: "file", open: parts.length === 1 },
      h("summary", {}, one.file, parts.length > 1 && !same ? ` (${i === 0 ? page.run.label : page.base.label})` : ""), h("pre", { tabindex: "0" }, h("code", {}, one.topology)))));
}

function command(run) {
  const text = run.report.source.command;
  const button = h("button", { class: "button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(button, "Copied");
    } catch {
      getSelection().selectAllChildren(code);
    }
  } }, "Copy");
  const code = h("code", {}, text);
  return h("div", { class: "command" }, run.label && h("span", { class: "note" }, run.label), h("pre", {}, code), button);
}

function download(report) {
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(report, null, 2)}\n`], { type: "application/json" }));
  const link = h("a", { href: address, download: `${report.scenario.replace(/[^\p{L}\p{N}_-]+/gu, "-") || "report"}.json` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
