// The front's chart: a sketch until plotly.js is there, then its traces, with rings and budget lines over them.

import { axisTitle, drawChart, plotly } from "./charts.js";
import { h, show } from "./dom.js";
import { Overlay } from "./overlay.js";
import { frontTraces } from "./points.js";
import { drawSketch } from "./sketch.js";

const SETTLED_MS = 350;
// A window without ends.
const WHOLE = ",,,";
const OF_TRIALS = ["front", "dominated", "early", "infeasible"];

export class FrontChart {
  #page;
  #acts;
  #sketch = h("canvas", { class: "sketch", "aria-hidden": "true" });
  #chart = h("div", { class: "chart", "aria-hidden": "true" });
  #overlay;
  #window = WHOLE;
  #isListening = false;
  #drawn = 0;
  #settling = null;
  #loading = null;

  // `acts`: `budget(axis, value, isDone)`, a line was moved; `placed()`, the axes are others now; `zoomed(ends)`, a zoom
  // has settled; `loaded()`, plotly.js has come.
  constructor(page, acts) {
    [this.#page, this.#acts] = [page, acts];
    this.#overlay = new Overlay(this.#chart, acts.budget);
    this.frame = h(
      "div",
      {
        class: "frame",
        tabindex: "0",
        role: "group",
        "aria-label": "Front; arrow keys go along it, Enter opens a trial",
        "aria-describedby": "under-budget",
        id: "front-frame",
      },
      this.#sketch,
      this.#chart,
      this.#overlay.element,
    );
    this.frame.addEventListener("mouseleave", () => page.hover(null));
    new ResizeObserver(() => this.#resized()).observe(this.frame);
  }

  get element() {
    return this.#chart;
  }

  // Another study begins with the whole plane.
  begin() {
    this.#window = WHOLE;
  }

  // Gives a promise of the chart; the sketch stands there until then.
  draw(study, groups, options, { x, y, mode }) {
    if (window.Plotly) return this.#drawTraces(study, groups, options, { x, y, mode });
    const kinds = { infeasible: "cloud", early: "cloud", dominated: "cloud", front: "front" };
    const points = Object.entries(kinds).flatMap(([group, kind]) =>
      groups[group].map((row) => ({ x: study.trials.value(row, x.name), y: study.trials.value(row, y.name), kind })),
    );
    drawSketch(this.#sketch, points, { isBetterRight: x.maximise, isBetterUp: y.maximise, size: 4 });
    this.#page.whenDrawn("sketch");
    this.#loading ??= plotly().then(this.#acts.loaded, (error) => this.#page.fail(error));
    return this.#loading;
  }

  // Rings around points given as [x, y, kind].
  ring(points) {
    this.#overlay.ring(points);
  }

  // Budget lines by axis, as the overlay takes them.
  place(budgets) {
    this.#overlay.place(budgets);
  }

  // Back to the whole plane.
  async reset() {
    await window.Plotly?.relayout(this.#chart, { "xaxis.autorange": true, "yaxis.autorange": true });
  }

  async #drawTraces(study, groups, options, { x, y, mode }) {
    show(this.#sketch, false);
    const { state } = this.#page;
    const axis = (figure, isLog) => ({
      title: axisTitle(figure, options.isNormalised ? `${figure.short}, times FastViT-T8's` : figure.title),
      type: isLog ? "log" : "linear",
    });
    this.#drawn += 1;
    await drawChart(this.#chart, frontTraces(study, groups, options), {
      height: this.frame.clientHeight,
      width: this.frame.clientWidth,
      xaxis: axis(x, state.get("xlog")),
      yaxis: axis(y, state.get("ylog")),
      dragmode: mode,
      // Zoom stays over updates, and ends where the axes become others.
      uirevision: [study.info.id, x.name, y.name, state.get("xlog"), state.get("ylog"), options.isNormalised].join(),
      selectionrevision: this.#drawn,
      selections: [],
    });
    if (!this.#isListening) this.#listen();
    this.#acts.placed();
    this.#page.whenDrawn("front");
  }

  #listen() {
    this.#isListening = true;
    const { selection } = this.#page;
    const number = ({ data, customdata }) => (OF_TRIALS.includes(data.name) ? customdata : null);
    this.#chart.on("plotly_hover", ({ points: [point] }) => {
      const found = number(point);
      if (found !== null) this.#page.hover(found);
      else this.#page.hoverBaseline(point.data.name, point.customdata);
    });
    this.#chart.on("plotly_click", ({ points: [point], event }) => {
      const found = number(point);
      if (found === null) return;
      if (event.shiftKey || event.ctrlKey || event.metaKey) selection.toggle(found);
      else selection.select([found]);
    });
    this.#chart.on("plotly_selected", (event) => {
      // Without an outline it tells that an update has taken the outline away.
      if (event?.lassoPoints || event?.range)
        selection.select(event.points.map(number).filter((found) => found !== null));
    });
    this.#chart.on("plotly_relayout", (change) => this.#relaid(change));
    this.#chart.on("plotly_afterplot", () => this.#acts.placed());
  }

  #relaid(change) {
    if (!Object.keys(change).some((name) => /^[xy]axis\./.test(name))) return;
    this.#acts.placed();
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      const window = windowOf(this.#overlay.axes);
      if (window === this.#window) return;
      this.#window = window;
      this.#acts.zoomed(window === WHOLE ? "" : window);
    }, SETTLED_MS);
  }

  #resized() {
    if (this.#isListening && this.frame.clientWidth && !this.frame.hidden)
      window.Plotly.relayout(this.#chart, { width: this.frame.clientWidth, height: this.frame.clientHeight });
  }
}

// The part of the plane that a chart shows, as the server is asked.
function windowOf({ x, y }) {
  const ends = ({ range, type, autorange }) =>
    autorange ? ["", ""] : [...range].sort((a, b) => a - b).map((end) => (type === "log" ? 10 ** end : end));
  return [...ends(x), ...ends(y)].join();
}
