// Two runs held against each other: what was changed, and what came of it.

function comparisonSection(page) {
  const found = page.comparison;
  if (!page.base) return null;
  const [before, after] = [page.base.label, page.run.label];
  const keys = h("ul", { class: "legend" },
    h("li", {}, h("i", { class: "mark base", "aria-hidden": "true" }), `${before}: dashed, or the lower row`),
    h("li", {}, h("i", { class: "mark good", "aria-hidden": "true" }), `${after}: everything else; figures read before → after`));
  if (!found) return section("changes", "What changed", "", keys);
  return section("changes", "What changed", sentenceCase(found.sentence), keys,
    found.settings.length > 0 && h("div", { class: "settings" }, h("h3", {}, found.settings.length === 1 ? "The one setting that differs" : "Settings that differ"),
      h("dl", {}, found.settings.map((one) => [h("dt", {}, h("code", {}, one.path)), h("dd", {}, h("span", { class: "before" }, one.base ?? "–"), " → ", h("b", {}, one.new ?? "–"))]))),
    [["broken", "No longer held", "✗"], ["mended", "Now held", "✓"]].map(([field, title, mark]) => found[field].length > 0 &&
      h("div", { class: field }, h("h3", {}, title), h("ul", {}, found[field].map((line) => h("li", {}, `${mark} ${line}`))))),
    found.diff && h("details", { class: "file", open: found.settings.length === 0 }, h("summary", {}, "The files, line by line"), h("pre", { class: "diff", tabindex: "0" }, diffLines(found.diff))),
    changesTable(found.changes));
}

/** A unified diff, each line in the colour of what it is; the sign stays, so colour is not all. */
function diffLines(text) {
  const kind = (line) => (/^(---|\+\+\+|@@)/.test(line) ? "place" : { "+": "added", "-": "gone" }[line[0]] || null);
  return text.replace(/\n$/, "").split("\n").map((line) => h("code", { class: kind(line) }, `${line}\n`));
}

const WAYS = { better: "▲ better", worse: "▼ worse", neutral: "" };

function changesTable(changes) {
  if (changes.length === 0) return h("p", { class: "note" }, "No figure changed.");
  const shown = changes.slice(0, 60);
  const row = (one) => {
    const value = (told) => h("td", { "data-value": told ? String(told.value) : null }, told ? told.text : "–");
    return h("tr", { class: one.direction, "data-name": one.subject },
      h("th", { scope: "row" }, one.subject), h("td", { class: "text" }, one.metric),
      value(one.base), value(one.new), h("td", { class: "text way" }, WAYS[one.direction], one.breaks && ` (breaks ${one.breaks})`));
  };
  const body = h("tbody", {}, shown.map(row));
  const heads = ["of", "figure", "before", "after", "way"].map((label, column) => {
    const head = h("th", { scope: "col", "aria-sort": "none", class: label === "figure" || label === "way" ? "text" : null }, h("button", { onclick: () => sortBy(body, head, column) }, label));
    return head;
  });
  return h("div", { class: "table changed", tabindex: "0", role: "region", "aria-label": "Figures that changed" },
    h("table", {}, h("caption", {}, `Figures that changed, the most important first${changes.length > shown.length ? ` (${shown.length} of ${changes.length})` : ""}`), h("thead", {}, h("tr", {}, heads)), body));
}
