// The front: any two figures, the attained line, what is dominated, baselines, intervals and budgets.

import { budgetOf, budgetSentence, withBudget } from "./budget.js";
import { h, put, show } from "./dom.js";
import { emptyFront } from "./empty.js";
import { FrontChart } from "./frontchart.js";
import { legend, notes } from "./frontnotes.js";
import { drawTools } from "./fronttools.js";
import { drawPairs } from "./pairs.js";
import { grouped, NUMBER } from "./points.js";
import { publishedDevices, publishedPoints, studyAnchor } from "./published.js";

const FRESH_MS = 4000;

export class FrontView {
  #page;
  #tools = h("div", { class: "tools controls" });
  #chart;
  #under = h("p", { class: "under", id: "under-budget" });
  #legend = h("ul", { class: "legend" });
  #notes = h("div", { class: "notes" });
  #pairs = h("div", { class: "pairs-of-figures" });
  #empty = h("div", { class: "empty" });
  #parts;
  #study = null;
  #mode = "zoom";
  #published = null;
  #device = null;
  #isLoading = false;
  #isAnyway = false;

  constructor(root, page) {
    this.#page = page;
    this.#chart = new FrontChart(page, {
      budget: (axis, value, isDone) => this.#budgetMoved(axis, value, isDone),
      placed: () => this.#placed(),
      zoomed: (ends) => this.#zoomed(ends),
      loaded: () => this.draw(),
    });
    this.#parts = [this.#tools, this.#chart.frame, this.#under, this.#legend, this.#notes, this.#pairs];
    root.append(this.#empty, ...this.#parts);
  }

  get chart() {
    return this.#chart.element;
  }

  // The figures on the axes now.
  axes() {
    const { state, study } = this.#page;
    const known = study.figures;
    const [first, second = known.find((figure) => figure !== first)] = study.objectives;
    const find = (name, fallback) => known.find((figure) => figure.name === name) ?? fallback ?? NUMBER;
    return { x: find(state.get("x"), second), y: find(state.get("y"), first) };
  }

  // Gives a promise of the chart.
  draw() {
    const { study, state } = this.#page;
    if (!study) return Promise.resolve();
    const isEmpty = emptyFront(this.#empty, this.#page);
    for (const element of this.#parts) show(element, !isEmpty);
    if (isEmpty) return Promise.resolve();
    if (this.#study !== study) this.#begin(study);
    const loading = this.#loadPublished();
    const { x, y } = this.axes();
    const rows = this.#page.rows();
    const options = this.#options(x, y);
    const groups = grouped(study, rows, options);
    const acts = {
      mode: (mode) => this.#change(() => (this.#mode = mode)),
      reset: () => this.reset(),
      budget: (name, value) => this.#setBudget(name, value),
    };
    drawTools(this.#tools, this.#page, { x, y, options, mode: this.#mode }, acts);
    put(this.#legend, legend(study, groups, options, this.#page.shownCounts()));
    put(
      this.#notes,
      notes(this.#page, groups, options, {
        published: this.#published,
        showAnyway: () => this.#change(() => (this.#isAnyway = true)),
        setDevice: (device) => this.#change(() => (this.#device = device)),
      }),
    );
    this.#tellBudget(state.get("budget"));
    drawPairs(this.#pairs, this.#page, rows, { x, y });
    return Promise.all([this.#chart.draw(study, groups, options, { x, y, mode: this.#mode }), loading]);
  }

  // Moves rings only: cheap enough for every step of the pointer.
  drawFocus() {
    const { study, focus, fresh } = this.#page;
    if (!study || !window.Plotly || this.#chart.frame.hidden) return;
    const { x, y } = this.axes();
    const { divide, dominated, stopped } = this.#options(x, y);
    const isShown = (number) =>
      ({ early: stopped, dominated })[study.trials.columns.kind[study.trials.row(number)]] ?? true;
    const point = (number, kind) => {
      const row = study.trials.row(number);
      const [across, up] =
        row === undefined ? [null, null] : [study.trials.value(row, x.name), study.trials.value(row, y.name)];
      return across === null || up === null ? [] : [[across / divide.x, up / divide.y, kind]];
    };
    this.#chart.ring([
      ...[...fresh].filter(isShown).flatMap((number) => point(number, "fresh")),
      ...(focus === null ? [] : point(focus, "focused")),
    ]);
    if (fresh.size) setTimeout(() => this.#page.forgetFresh(), FRESH_MS);
  }

  // Back to the whole plane.
  reset() {
    return this.#chart.reset();
  }

  // What belonged to another study ends with it.
  #begin(study) {
    [this.#study, this.#mode, this.#isAnyway] = [study, "zoom", false];
    this.#chart.begin();
  }

  #options(x, y) {
    const { state, study } = this.#page;
    const get = (name) => state.get(name);
    const isNormalised = get("published") && this.#published !== null;
    const anchor = isNormalised ? studyAnchor(study, x.name, y.name) : null;
    const isHidden = study.baselines && !study.baselines.is_comparable && !this.#isAnyway;
    return {
      x: x.name,
      y: y.name,
      size: study.figure(get("size")) ? get("size") : "",
      dominated: get("dominated"),
      stopped: get("stopped"),
      intervals: get("intervals"),
      measured: get("measured"),
      isElsewhere: Boolean(study.baselines) && !study.baselines.is_comparable,
      isHidden,
      isNormalised: anchor !== null,
      wantsPublished: get("published"),
      device: this.#device,
      published: anchor ? publishedPoints(this.#published, x.name, y.name, this.#device) : [],
      divide: anchor ?? { x: 1, y: 1 },
      budgets: get("budget"),
      selected: get("selected"),
    };
  }

  #placed() {
    // Plotly tells of what it has drawn later, when the study may have gone.
    if (!this.#page.study) return;
    this.#placeBudgets(this.#page.state.get("budget"));
    this.drawFocus();
  }

  #placeBudgets(budgets) {
    const { x, y } = this.axes();
    const { isNormalised } = this.#options(x, y);
    // What an overlay is told of the budget of a figure.
    const line = (figure) =>
      isNormalised || figure === NUMBER
        ? null
        : {
            name: figure.short,
            unit: figure.unit,
            isMaximised: figure.maximise,
            value: budgetOf(budgets, figure.name),
          };
    this.#chart.place({ x: line(x), y: line(y) });
  }

  // After a zoom into a thinned cloud the server is asked for more of it.
  #zoomed(ends) {
    if (!this.#page.study) return;
    const { x, y } = this.axes();
    if (!this.#options(x, y).isNormalised) this.#page.zoomed(ends);
  }

  #change(apply) {
    apply();
    this.#page.redraw("front");
  }

  #setBudget(name, value) {
    this.#page.state.set({ budget: withBudget(this.#page.state.get("budget"), name, value) });
    this.#page.announce(budgetSentence(this.#page.study, this.#page.state.get("budget")));
  }

  #budgetMoved(axis, value, isDone) {
    const { name } = this.axes()[axis];
    if (isDone) {
      this.#setBudget(name, value);
      return;
    }
    const budgets = withBudget(this.#page.state.get("budget"), name, value);
    this.#placeBudgets(budgets);
    this.#tellBudget(budgets);
  }

  #tellBudget(budgets) {
    this.#under.textContent = budgetSentence(this.#page.study, budgets);
  }

  // Published figures are read when they are first asked for.
  async #loadPublished() {
    if (this.#published || this.#isLoading || !this.#page.state.get("published")) return;
    this.#isLoading = true;
    try {
      this.#published = await this.#page.source.published();
      this.#device = publishedDevices(this.#published)[0] ?? null;
      await this.draw();
    } catch (error) {
      this.#page.fail(error);
    }
    this.#isLoading = false;
  }
}
