// What leaves the page: data as CSV and JSON, figures as PNG and SVG, and the whole page as one file.

import { chartImage } from "./charts.js";
import { csv } from "./csv.js";
import { button, card, h, put, putKept } from "./dom.js";
import { grouped } from "./format.js";
import { Latest } from "./latest.js";
import { download } from "./saving.js";
import { commandLine } from "./trial.js";

export class ExportView {
  #page;
  #place = h("div", { class: "cards" });
  #told = h("div", { class: "cards" });
  #study = null;
  #latest;

  constructor(root, page) {
    this.#page = page;
    this.#latest = new Latest(() => page.redraw("export"));
    root.append(this.#place, this.#told);
  }

  async draw() {
    const { study, source } = this.#page;
    if (this.#study !== study) {
      this.#study = study;
      this.#latest.forget();
      put(this.#told);
      delete this.#told.dataset.key;
      put(this.#place, this.#data(), this.#figures(), this.#address());
    }
    this.#page.whenDrawn("export");
    // Commands and verdicts follow the study.
    const { id, status } = study.info;
    const key = [id, status, study.front.join(), JSON.stringify(study.counts), study.baselines?.study.id].join();
    await this.#latest.want(
      { subject: id, key },
      () => source.study(id),
      (told, problem) => (problem ? this.#page.fail(problem) : this.#tell(told)),
    );
  }

  #tell(told) {
    // Whoever chose another study meanwhile has its page drawn next.
    if (told.id !== this.#page.study?.info.id) return;
    putKept(this.#told, JSON.stringify([told.id, told.commands, told.verdicts]), this.#commands(told), verdicts(told));
  }

  #commands({ commands }) {
    return card(
      "Commands",
      Object.entries(commands).map(([name, command]) => commandLine(name, command, this.#page)),
    );
  }

  #address() {
    return card(
      "As it is shown now",
      h(
        "p",
        null,
        button("Copy the address", () => this.#page.copy(location.href)),
      ),
      h("p", { class: "note" }, "The address holds the study, the axes, the filter and the selection."),
    );
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
        button("The trials shown, as CSV", () =>
          download(`${name}-shown.csv`, csv(this.#page.study, this.#page.rows(), partOf(this.#page))),
        ),
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
          download(`${name}.json`, new Blob([JSON.stringify(columns(this.#page))], { type: "application/json" })),
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

function verdicts({ verdicts: told }) {
  if (!told.length) return null;
  const items = told.map((each) => h("li", null, each.text));
  return card("Published networks tried here", h("ul", { class: "plain-list" }, items));
}

// What a part of a study's trials is a part of; null: it is all of them.
function partOf({ study, source }) {
  if (study.isWhole) return null;
  const where = source.isLive ? "on the page" : "in the file";
  return (
    `${grouped(study.trials.length)} of ${grouped(study.counts.tried)} trials were ${where} that this is from: the front ` +
    "whole, the others evenly chosen"
  );
}

function columns(page) {
  const { study, source } = page;
  const { trials } = study;
  return {
    study: study.info,
    part: partOf(page),
    notes: source.notes,
    counts: study.counts,
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
