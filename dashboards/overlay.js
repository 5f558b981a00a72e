// What stands over a chart and moves without drawing it anew: rings around points, and budget lines to drag.

import { h, put } from "./dom.js";
import { figure } from "./format.js";

// The overlay of a chart element. `moved(axis, value, isDone)` is told of a budget line that was dragged or keyed.
export class Overlay {
  #chart;
  #rings = h("div", { class: "rings", "aria-hidden": "true" });
  #lines;

  constructor(chart, moved) {
    this.#chart = chart;
    this.#lines = { x: new BudgetLine("x", this, moved), y: new BudgetLine("y", this, moved) };
    this.element = h("div", { class: "overlay" }, this.#rings, this.#lines.x.element, this.#lines.y.element);
  }

  // Axes of the chart as drawn last, or null before the first time.
  get axes() {
    const layout = this.#chart._fullLayout;
    return layout?.xaxis?._length ? { x: layout.xaxis, y: layout.yaxis } : null;
  }

  // Rings around points given as [x, y, kind].
  ring(points) {
    const axes = this.axes;
    if (!axes) return;
    put(
      this.#rings,
      points.map(([x, y, kind]) => {
        const [left, top] = [axes.x.c2p(x), axes.y.c2p(y)];
        const isInside = left >= 0 && left <= axes.x._length && top >= 0 && top <= axes.y._length;
        return (
          isInside &&
          h("span", {
            class: `ring ${kind}`,
            style: { left: `${axes.x._offset + left}px`, top: `${axes.y._offset + top}px` },
          })
        );
      }),
    );
  }

  // Places the budget lines: by axis {name, unit, isMaximised, value}, or null where an axis can have none.
  place(budgets) {
    for (const [axis, line] of Object.entries(this.#lines)) line.place(budgets[axis]);
  }
}

// One line across the chart: at its budget, or parked at the worse end of its axis until it is dragged in.
class BudgetLine {
  #axis;
  #overlay;
  #moved;
  #budget = null;

  constructor(axis, overlay, moved) {
    [this.#axis, this.#overlay, this.#moved] = [axis, overlay, moved];
    this.grip = h("span", { class: "grip" });
    this.element = h("div", { class: `budget ${axis}`, role: "slider", tabindex: "0", hidden: true }, this.grip);
    this.element.addEventListener("pointerdown", (event) => this.#drag(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  place(budget) {
    const axes = this.#overlay.axes;
    this.#budget = budget;
    this.element.hidden = !budget || !axes;
    if (this.element.hidden) return;
    const axis = axes[this.#axis];
    const [low, high] = this.#bounds(axis);
    const value = budget.value ?? (budget.isMaximised ? low : high);
    const pixel = Math.min(Math.max(axis.c2p(value), 0), axis._length);
    const other = axes[this.#axis === "x" ? "y" : "x"];
    const [along, across] = this.#axis === "x" ? ["left", "top"] : ["top", "left"];
    this.element.style[along] = `${axis._offset + pixel}px`;
    this.element.style[across] = `${other._offset}px`;
    this.element.style[this.#axis === "x" ? "height" : "width"] = `${other._length}px`;
    this.element.classList.toggle("parked", budget.value === null);
    const sign = budget.isMaximised ? "≥" : "≤";
    this.grip.textContent =
      budget.value === null ? `${budget.name} budget` : `${sign} ${figure(value, 3)}${budget.unit ? ` ${budget.unit}` : ""}`;
    const told = {
      valuemin: low,
      valuemax: high,
      valuenow: value,
      valuetext: budget.value === null ? "none" : `${sign} ${figure(value)} ${budget.unit}`,
    };
    for (const [name, text] of Object.entries(told)) this.element.setAttribute(`aria-${name}`, text);
    this.element.setAttribute("aria-orientation", this.#axis === "x" ? "horizontal" : "vertical");
    this.element.setAttribute("aria-label", `budget of ${budget.name}`);
  }

  #bounds(axis) {
    const ends = [axis.p2c(0), axis.p2c(axis._length)];
    return [Math.min(...ends), Math.max(...ends)];
  }

  #drag(event) {
    event.preventDefault();
    this.element.focus();
    this.element.setPointerCapture(event.pointerId);
    const move = (now) => this.#to(now, false);
    this.element.addEventListener("pointermove", move);
    this.element.addEventListener(
      "pointerup",
      (last) => {
        this.element.removeEventListener("pointermove", move);
        this.#to(last, true);
      },
      { once: true },
    );
  }

  #to(event, isDone) {
    const axis = this.#overlay.axes[this.#axis];
    const frame = this.#overlay.element.getBoundingClientRect();
    const pixel = (this.#axis === "x" ? event.clientX - frame.left : event.clientY - frame.top) - axis._offset;
    // Dragged past the worse end it is parked again: no budget.
    const isOut = this.#budget.isMaximised === (this.#axis === "x") ? pixel <= 2 : pixel >= axis._length - 2;
    this.#moved(
      this.#axis,
      isOut ? null : Number(axis.p2c(Math.min(Math.max(pixel, 0), axis._length)).toPrecision(3)),
      isDone,
    );
  }

  #key(event) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    if (event.key === "Delete" || event.key === "Backspace") this.#moved(this.#axis, null, true);
    else if (!(event.key in steps)) return;
    else {
      const [low, high] = this.#bounds(this.#overlay.axes[this.#axis]);
      const begin = this.#budget.value ?? (this.#budget.isMaximised ? low : high);
      this.#moved(this.#axis, Number((begin + (steps[event.key] * (high - low)) / 100).toPrecision(3)), true);
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
