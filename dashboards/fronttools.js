// Above the front: what is on the axes, the budgets, what is drawn, and what dragging does.

import { budgetOf } from "./budget.js";
import { button, check, choice, h, labelled, putKept } from "./dom.js";

const TOLD = ["xlog", "ylog", "size", "budget", "dominated", "stopped", "intervals", "measured", "published"];

// Draws the controls into `element`, where something of them has changed.
export function drawTools(element, { state, study }, { x, y, options, mode }, acts) {
  const set = (name) => (value) => state.set({ [name]: value });
  const figures = study.figures.map((figure) => [figure.name, figure.short]);
  const dragging = (name, text) => button(text, () => acts.mode(name), { "aria-pressed": String(mode === name) });
  const budget = (figure) => {
    const value = budgetOf(options.budgets, figure.name);
    const change = (event) => acts.budget(figure.name, event.target.value === "" ? null : Number(event.target.value));
    const input = h("input", {
      type: "number",
      step: "any",
      class: "small",
      value: value === null ? "" : String(value),
      onchange: change,
      "data-budget": figure.name,
    });
    return labelled(`${figure.short} ${figure.maximise ? "≥" : "≤"}`, input);
  };
  const scale = (name, axis) => check("log", state.get(name), set(name), { title: `logarithmic ${axis}` });
  putKept(
    element,
    JSON.stringify([x.name, y.name, figures, TOLD.map((name) => state.get(name)), mode, study.baselines !== null]),
    labelled("x", choice(figures, x.name, set("x"), { id: "x-axis" })),
    scale("xlog", "x"),
    labelled("y", choice(figures, y.name, set("y"), { id: "y-axis" })),
    scale("ylog", "y"),
    labelled("size", choice([["", "none"], ...figures], options.size, set("size"), { id: "size" })),
    h("span", { class: "gap" }),
    study.figure(x.name) && budget(x),
    budget(y),
    h("span", { class: "gap" }),
    check("dominated", options.dominated, set("dominated")),
    check("stopped early", options.stopped, set("stopped")),
    check("intervals", options.intervals, set("intervals")),
    study.baselines && check("baselines measured here", options.measured, set("measured")),
    check("published", options.wantsPublished, set("published")),
    h("span", { class: "gap" }),
    h(
      "span",
      { class: "tools", role: "group", "aria-label": "Dragging" },
      dragging("zoom", "Zoom"),
      dragging("lasso", "Lasso"),
      dragging("pan", "Pan"),
    ),
    button("Reset zoom", acts.reset, { title: "z, or a double click in the chart" }),
  );
}
