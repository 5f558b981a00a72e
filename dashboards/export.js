// What leaves the page: data as CSV and JSON, figures as PNG and SVG, and the whole page as one file.

import { chartImage } from "./charts.js";
import { button, card, h, put } from "./dom.js";
import { download } from "./saving.js";
import { commandLine } from "./trial.js";

export class ExportView {
  #page;
  #place = h("div", { class: "cards" });
  #shown = null;

  constructor(root, page) {
    this.#page = page;
    root.append(this.#place);
  }

  async draw() {
    const { study, source } = this.#page;
    if (this.#shown === study.info.id) {
      this.#page.whenDrawn("export");
      return;
    }
    this.#shown = study.info.id;
    put(
      this.#place,
      this.#data(),
      this.#figures(),
      card(
        "As it is shown now",
        h(
          "p",
          null,
          button("Copy the address", () => this.#page.copy(location.href)),
        ),
        h("p", { class: "note" }, "The address holds the study, the axes, the filter and the selection."),
      ),
    );
    this.#page.whenDrawn("export");
    try {
      const told = await source.study(study.info.id);
      this.#place.append(
        card(
          "Commands",
          Object.entries(told.commands).map(([name, command]) => commandLine(name, command, this.#page)),
        ),
        ...(told.verdicts.length
          ? [
              card(
                "Published networks tried here",
                h(
                  "ul",
                  { class: "plain-list" },
                  told.verdicts.map((each) => h("li", null, each.text)),
                ),
              ),
            ]
          : []),
      );
    } catch (error) {
      this.#page.fail(error);
    }
  }

  #data() {
    const { source, study } = this.#page;
    const { id, name } = study.info;
    const link = (format, text) =>
      h("p", null, h("a", { href: source.address(id, format), download: `${name}.${format}` }, text));
    const own = [
      h(
        "p",
        null,
        button("The trials shown, as CSV", () => download(`${name}-shown.csv`, csv(study, this.#page.rows()))),
      ),
      h("p", { class: "note" }, "What the filter leaves, in the order of their numbers."),
    ];
    if (source.isLive)
      return card(
        "Data",
        link("csv", "All trials as CSV"),
        link("json", "Everything as JSON"),
        link("html", "This page as one file"),
        h("p", { class: "note" }, "The file opens without a server and without a network."),
        own,
      );
    return card(
      "Data",
      h(
        "p",
        null,
        button("Everything in this file, as JSON", () =>
          download(`${name}.json`, new Blob([JSON.stringify(columns(study))], { type: "application/json" })),
        ),
      ),
      own,
      source.notes.map((note) => h("p", { class: "note" }, note)),
    );
  }

  #figures() {
    const save = (view, format) => async () => {
      const { name } = this.#page.study.info;
      try {
        for (const [label, blob] of await this.#page.images(view, format)) download(`${name}-${label}.${format}`, blob);
      } catch (error) {
        this.#page.fail(error);
      }
    };
    const row = (view, text, formats) =>
      h(
        "p",
        { class: "tools" },
        h("span", null, text),
        formats.map((format) =>
          button(format.toUpperCase(), save(view, format), { "aria-label": `${text} as ${format.toUpperCase()}` }),
        ),
      );
    return card(
      "Figures",
      row("front", "Front", ["svg", "png"]),
      row("progress", "Progress", ["svg", "png"]),
      row("compare", "Comparison", ["svg", "png"]),
      row("parallel", "Parallel coordinates", ["png"]),
      h("p", { class: "note" }, "As they are drawn here; ", h("code", null, "bench plot"), " draws the front from a terminal."),
    );
  }
}

// Images of a view that is drawn: Plotly's own for its charts, the pixels of a canvas else.
export async function imagesOf(view, name, format) {
  if (view.canvas) return [[name, await new Promise((resolve) => view.canvas.toBlob(resolve, "image/png"))]];
  const charts = view.charts ?? [view.chart];
  const images = [];
  for (const [i, chart] of charts.entries())
    images.push([charts.length > 1 ? `${name}-${i + 1}` : name, await chartImage(chart, format)]);
  return images;
}

// A cell that begins like a formula is kept from being one where a spreadsheet opens it.
function csv(study, rows) {
  const { trials } = study;
  const names = [
    "number",
    "kind",
    "name",
    "status",
    "source",
    "rung",
    "images",
    ...study.figures.map((each) => each.name),
    ...study.choices.map((each) => each.name),
    "reason",
  ];
  const cell = (value) => {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const lines = rows.map((row) => names.map((name) => cell(trials.value(row, name))).join(","));
  return new Blob([[names.map(cell).join(","), ...lines].join("\n"), "\n"], { type: "text/csv" });
}

function columns(study) {
  const { trials } = study;
  return {
    study: study.info,
    objectives: study.objectives,
    front: study.front,
    hypervolume: study.hypervolume,
    trials: {
      ...trials.columns,
      values: trials.values,
      low: trials.low,
      high: trials.high,
      verdict: trials.verdict,
      choices: trials.choices,
    },
  };
}
