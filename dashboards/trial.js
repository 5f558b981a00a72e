// One trial with everything that is known of it: network, costs, samples, conditions, and the commands that repeat it.

import { stageRows, strip } from "./architecture.js";
import { button, card, details, h, pairs, put, table } from "./dom.js";
import { message } from "./empty.js";
import { clock, figure, grouped, interval, moment } from "./format.js";
import { measurementCard, scoresTable } from "./measured.js";

export class TrialView {
  #page;
  #root;
  #place = h("div", { class: "trial-place" });
  // What is shown or on its way, and the promise of it.
  #shown = null;
  #loading = null;
  #number = null;

  constructor(root, page) {
    [this.#page, this.#root] = [page, root];
    root.append(this.#place);
  }

  async draw() {
    const { study, state } = this.#page;
    const number = state.get("trial") ?? this.#page.focus ?? study.front[0] ?? study.trials.numbers[0] ?? null;
    this.#number = number;
    if (number === null) {
      this.#say("No trial to show", "The study has none yet.");
      return;
    }
    const row = study.trials.row(number);
    if (row === undefined) {
      this.#say(
        `No trial #${number} here`,
        `This study shows ${grouped(study.trials.length)} of ${grouped(study.counts.tried)} trials; choose another, or read it with: bench show ${study.info.name}/${number}`,
      );
      return;
    }
    // While it runs all that is known of it may change, and so may the baseline that it is told against.
    const key = [study.trials.told(row), study.baselines?.trials.version].join();
    if (this.#shown !== key) {
      this.#shown = key;
      this.#loading = this.#load(key, row);
    }
    await this.#loading;
    this.#page.whenDrawn("trial");
  }

  async #load(key, row) {
    const { numbers, columns } = this.#page.study.trials;
    // Rows are others when the study is read anew.
    const [number, id] = [numbers[row], columns.trial[row]];
    try {
      const found = await this.#page.trial(id, true);
      if (this.#isWanted(key)) this.#show(found);
    } catch (error) {
      if (this.#isWanted(key)) this.#say(`#${number}`, error.message, this.#figures(number));
    }
  }

  // Whether nothing else has been chosen since it was asked for.
  #isWanted(key) {
    return this.#shown === key && this.#page.study !== null;
  }

  #say(heading, text, more = null) {
    this.#shown = null;
    this.#heading("Trial");
    put(this.#place, this.#steps(), message(heading, text, more));
    this.#page.whenDrawn("trial");
  }

  #heading(text) {
    this.#root.querySelector("h2").textContent = text;
  }

  #figures(number) {
    const { study } = this.#page;
    const row = study.trials.row(number);
    return pairs(
      study.figures.map((each) => [
        each.title,
        study.trials.value(row, each.name) === null ? null : figure(study.trials.value(row, each.name)),
      ]),
    );
  }

  // To the neighbours along the front, or by number.
  #steps() {
    const { study, state } = this.#page;
    const number = this.#number;
    const order = study.front.includes(number) ? study.front : [...study.trials.numbers].sort((a, b) => a - b);
    const place = order.indexOf(number);
    const go = (to) => () => this.#page.open(order[to]);
    const along = order === study.front ? "along the front" : "by number";
    return h(
      "p",
      { class: "tools" },
      button("Previous", go(place - 1), { disabled: place <= 0 }),
      button("Next", go(place + 1), { disabled: place < 0 || place >= order.length - 1 }),
      h("span", { class: "note" }, along),
      h("a", { href: state.address({ view: "front" }) }, "Back to the front"),
    );
  }

  #show(found) {
    const { architecture } = found;
    const score = this.#page.study.objectives[0];
    const held = this.#place.contains(document.activeElement) ? document.activeElement.textContent : null;
    this.#heading(`Trial ${found.label}${found.name ? `, ${found.name}` : ""}`);
    put(
      this.#place,
      this.#steps(),
      h(
        "p",
        null,
        h("span", { class: `chip ${found.status}` }, found.is_front ? "on the front" : found.status),
        ` from ${found.source}`,
        found.reason && `: ${found.reason}`,
        found.infeasible && `; breaks ${found.infeasible}`,
        found.note && `; ${found.note}`,
      ),
      found.nearest && h("p", { class: "nearest" }, found.nearest.text),
      h(
        "div",
        { class: "cards" },
        card(
          "Figures",
          pairs([
            ...this.#values(found),
            ["network", h("code", null, found.id)],
            ["seed", String(found.seed)],
            ["begun", moment(found.started_at)],
            ["ended", moment(found.finished_at)],
          ]),
        ),
        card(
          "Commands",
          Object.entries(found.commands).map(([name, command]) => commandLine(name, command, this.#page)),
        ),
      ),
      h("h3", null, "Network"),
      strip(architecture.stages),
      table(
        "Costs by stage",
        ["stage", "blocks", "words", "params M", "MACs G", "share of MACs"],
        stageRows(architecture),
        [false, false, false, true, true, false],
      ),
      this.#operators(architecture),
      details("As text, to copy", commandBlock(architecture.text, this.#page)),
      h("h3", null, "Latency"),
      found.measurements.length
        ? found.measurements.map((each) => measurementCard(each))
        : h("p", { class: "note" }, "Not timed."),
      h("h3", null, score.short[0].toUpperCase() + score.short.slice(1)),
      scoresTable(found.scores, score),
      this.#rest(found),
    );
    if (held) [...this.#place.querySelectorAll("button, a")].find((each) => each.textContent === held)?.focus();
  }

  #values(found) {
    const told = this.#page.study.figures;
    return Object.entries(found.values).map(([name, value]) => {
      const timed = found.measurements.findLast((each) => each.figure === name && each.ms !== null);
      return [
        told.find((each) => each.name === name)?.title ?? name,
        timed ? interval(timed.ms, timed.low_ms, timed.high_ms) : figure(value),
      ];
    });
  }

  #operators({ operators }) {
    if (!operators?.length) return null;
    const rows = operators.map((each) => [
      each.kind,
      grouped(each.count),
      figure(each.params_m),
      figure(each.macs_g),
      figure(each.read_m),
      figure(each.written_m),
    ]);
    return details(
      "Costs by kind of operator",
      table(
        "Costs by kind of operator",
        ["operator", "count", "params M", "MACs G", "values read M", "values written M"],
        rows,
        [false, true, true, true, true, true],
      ),
    );
  }

  #rest(found) {
    const link = (each) =>
      h(
        "li",
        null,
        h("a", { href: this.#page.state.address({ view: "trial", trial: each.number }) }, `#${each.number}`),
        each.words?.length ? ` differs in ${each.words.join(", ")}` : "",
      );
    const group = (heading, list) =>
      list.length > 0 && [h("h3", null, heading), h("ul", { class: "plain-list" }, list.map(link))];
    const files = found.artifacts.map((each) => [
      each.format,
      `${(each.bytes / 1e6).toFixed(2)} MB`,
      h("code", null, each.sha256),
    ]);
    const stages = Object.entries(found.stage_seconds).map(([name, seconds]) => [name, clock(seconds)]);
    return [
      group("Parents", found.relatives.parents),
      group("Children", found.relatives.children),
      group("Neighbours", found.relatives.neighbours),
      files.length > 0 && details("Files", table("Files", ["format", "size", "SHA-256"], files, [false, true, false])),
      stages.length > 0 &&
        details("Where its time went", table("Time by stage", ["stage", "time"], stages, [false, true])),
    ];
  }
}

// A command with a button that copies it.
export function commandLine(name, command, page) {
  return h(
    "p",
    { class: "command" },
    h("code", null, command),
    button("Copy", () => page.copy(command), { "aria-label": `Copy the command: ${name}` }),
  );
}

function commandBlock(text, page) {
  return h(
    "div",
    { class: "command" },
    h("pre", { tabindex: "0" }, text),
    button("Copy", () => page.copy(text), { "aria-label": "Copy the network" }),
  );
}
