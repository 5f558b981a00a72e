// Small panels of all pairs of objectives, in place of a third dimension.

import { h, putKept, show } from "./dom.js";
import { drawSketch } from "./sketch.js";

// Draws the panels of a study with three objectives or more; a click takes a pair on the axes.
export function drawPairs(element, page, rows, axes) {
  const { state, study } = page;
  const { objectives } = study;
  const pairs = objectives.flatMap((y, i) => objectives.slice(i + 1).map((x) => [x, y]));
  show(element, objectives.length > 2);
  if (objectives.length < 3) return;
  putKept(
    element,
    JSON.stringify([pairs.map(([x, y]) => [x.name, y.name]), axes.x.name, axes.y.name]),
    h("h3", null, "All pairs of objectives"),
    h(
      "div",
      { class: "panels" },
      pairs.map(([x, y]) => panel(x, y, axes, state)),
    ),
  );
  element.querySelectorAll("canvas").forEach((canvas, place) => drawPair(canvas, page, rows, pairs[place]));
}

function panel(x, y, axes, state) {
  const isShown = axes.x.name === x.name && axes.y.name === y.name;
  return h(
    "button",
    {
      type: "button",
      class: "panel",
      "aria-pressed": String(isShown),
      onclick: () => state.set({ x: x.name, y: y.name }),
    },
    h("canvas", { "aria-hidden": "true" }),
    h("span", null, `${y.short} over ${x.short}`),
  );
}

function drawPair(canvas, { study, selection }, rows, [x, y]) {
  const { trials } = study;
  const points = [];
  for (const row of rows) {
    const kind = trials.columns.kind[row];
    const [across, up] = [trials.value(row, x.name), trials.value(row, y.name)];
    if (across === null || up === null || !["front", "dominated"].includes(kind)) continue;
    points.push({
      x: across,
      y: up,
      kind: selection.has(trials.numbers[row]) ? "picked" : kind === "front" ? "front" : "cloud",
    });
  }
  drawSketch(canvas, points, { isBetterRight: x.maximise, isBetterUp: y.maximise });
}
