// Beside the views: the trial under the pointer or the keys, with its figures, its network and the nearest baseline.

import { blocksFromChoices, strip } from "./architecture.js";
import { button, h, pairs, put } from "./dom.js";
import { grouped, interval, percent } from "./format.js";

const KINDS = {
  front: "on the front",
  dominated: "dominated",
  infeasible: "breaks a rule",
  early: "stopped early",
  incomplete: "not complete",
  failed: "failed",
};
const FELL_OUT = "fell out when trained again";
const WAIT_MS = 150;

export class Inspector {
  #element;
  #page;
  #timer = null;

  constructor(element, page) {
    [this.#element, this.#page] = [element, page];
    this.draw();
  }

  draw() {
    const { study, focus } = this.#page;
    const row = study?.trials.row(focus);
    clearTimeout(this.#timer);
    if (row === undefined) {
      put(this.#element, this.#rest());
      return;
    }
    const { trials } = study;
    const blocks = blocksFromChoices(trials, row);
    const drawing = h("div", { class: "strip-place" }, blocks && strip(blocks));
    if (!blocks) this.#timer = setTimeout(() => this.#fetchStrip(trials.columns.trial[row], drawing), WAIT_MS);
    put(
      this.#element,
      h("h2", null, trials.label(row)),
      h(
        "p",
        { class: "note" },
        `${KINDS[trials.columns.kind[row]]}, ${trials.columns.source[row]}`,
        study.hasFallenOut(focus) && `, ${FELL_OUT}`,
        trials.columns.infeasible[row] && `, breaks ${trials.columns.infeasible[row]}`,
      ),
      trials.columns.reason[row] && h("p", { class: "note" }, trials.columns.reason[row]),
      pairs([
        ...figureRows(study, row),
        ["pictures", grouped(trials.columns.images[row])],
        ["network", h("code", null, trials.columns.id[row])],
      ]),
      drawing,
      nearestLine(study, row),
      h(
        "p",
        { class: "tools" },
        button("Open", () => this.#page.open(focus)),
        button(this.#page.selection.has(focus) ? "Unselect" : "Select", () => this.#page.selection.toggle(focus)),
      ),
    );
  }

  // A baseline has no trial of this study: one sentence.
  tell(text) {
    clearTimeout(this.#timer);
    put(this.#element, h("h2", null, "Baseline"), h("p", null, text));
  }

  #rest() {
    const numbers = this.#page.selection.numbers;
    const chosen = numbers ? [...numbers].sort((a, b) => a - b) : [];
    return [
      h("h2", null, chosen.length ? `${chosen.length} selected` : "No trial chosen"),
      chosen.length
        ? h(
            "ul",
            { class: "plain-list" },
            chosen
              .slice(0, 30)
              .map((number) =>
                h(
                  "li",
                  null,
                  h("a", { href: this.#page.state.address({ view: "trial", trial: number }) }, this.#label(number)),
                ),
              ),
            chosen.length > 30 && h("li", { class: "note" }, `and ${chosen.length - 30} more`),
          )
        : h(
            "p",
            { class: "note" },
            "Point at a trial, or go along the front with the arrow keys; Enter opens it, a lasso selects several.",
          ),
    ];
  }

  #label(number) {
    const row = this.#page.study?.trials.row(number);
    return row === undefined ? `#${number}` : this.#page.study.trials.label(row);
  }

  async #fetchStrip(trial, drawing) {
    try {
      const { architecture } = await this.#page.trial(trial);
      put(drawing, strip(architecture.stages));
    } catch {
      put(drawing); // a file without this trial's details, or a server that is gone: the banner tells of that one
    }
  }
}

// Figures with intervals, as [name, text]; the verdict of a latency beside it.
export function figureRows(study, row) {
  const { trials } = study;
  return study.figures
    .filter((figure) => trials.value(row, figure.name) !== null)
    .map((figure) => {
      const middle = trials.value(row, figure.name);
      const verdict = trials.verdict[figure.name]?.[row];
      const text =
        `${interval(middle, trials.low[figure.name]?.[row], trials.high[figure.name]?.[row])} ${figure.unit}`.trim();
      return [
        figure.short,
        verdict ? [h("span", { class: "whole" }, text), " ", h("span", { class: `chip ${verdict === "valid" ? "good" : "warn"}` }, verdict)] : text,
      ];
    });
}

// How a trial differs from the nearest baseline that was measured here: "-23 % latency, -0.4 points accuracy".
function nearestLine(study, row) {
  if (!study.baselines?.is_comparable || !["front", "dominated"].includes(study.trials.columns.kind[row])) return null;
  const { trials } = study.baselines;
  const names = study.objectives.map((objective) => objective.name);
  const own = names.map((name) => study.trials.value(row, name));
  let best = null;
  for (let other = 0; other < trials.length; other += 1) {
    if (!["front", "dominated"].includes(trials.columns.kind[other])) continue;
    const distance = names.reduce((sum, name, i) => sum + Math.log(trials.value(other, name) / own[i]) ** 2, 0);
    if (Number.isFinite(distance) && (best === null || distance < best.distance)) best = { other, distance };
  }
  if (best === null) return null;
  const differences = study.objectives.map((objective, i) => {
    const value = trials.value(best.other, objective.name);
    if (objective.name === "zero_cost") return `${own[i] < value ? "−" : "+"}${Math.abs(own[i] - value).toFixed(3)} ${objective.short}`;
    if (!["accuracy", "supernet"].includes(objective.name)) return `${percent(own[i] / value - 1)} ${objective.short}`;
    const points = ((own[i] - value) * 100).toFixed(1);
    return `${points < 0 ? "−" : "+"}${Math.abs(points)} points ${objective.short}`;
  });
  return h("p", { class: "nearest" }, `Against ${trials.columns.name[best.other]}: ${differences.join(", ")}`);
}
