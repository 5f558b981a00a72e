// Parallel coordinates on a plain canvas: a line a trial, ranges on axes select.

import { isInside, makeAxes, placesOf } from "./axes.js";
import { bestShare } from "./best.js";
import { h, put, show } from "./dom.js";
import { emptyRows } from "./empty.js";
import { drawAxisPanel } from "./axispanel.js";
import { count } from "./format.js";
import { Ground } from "./ground.js";
import { drawAxis, drawFocused, drawLines } from "./lines.js";
import { drawParallelTools } from "./paralleltools.js";
import { sharp } from "./sketch.js";

const [TOP, BOTTOM, LEFT] = [10, 30, 14];
// What stands above and below the lines on the screen, and how high these are at least and at most.
const [AROUND, LEAST, MOST] = [372, 320, 640];

export class ParallelView {
  #page;
  #tools = h("div", { class: "tools controls" });
  #empty = h("div", { class: "empty" });
  #heads = h("div", { class: "axis-heads" });
  #canvas = h("canvas", { class: "parallel", role: "img" });
  #ground = new Ground();
  #frame = { x: (place) => this.#x(place), y: (share) => this.#y(share) };
  #scroll;
  #panel = h("div", { class: "axis-panel" });
  #note = h("p", { class: "note" });
  #axes = [];
  // Where each axis stands, from the left, and where the last one's room ends.
  #places = [];
  #height = LEAST;
  #rows = [];
  #study = null;
  #chosen = null;
  #drag = null;

  constructor(root, page) {
    this.#page = page;
    this.#scroll = h(
      "div",
      { class: "wide", tabindex: "0", role: "region", "aria-label": "Parallel coordinates" },
      h("div", { class: "parallel-frame" }, this.#heads, this.#canvas),
    );
    this.#canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    this.#canvas.addEventListener("pointermove", (event) => this.#move(event));
    this.#canvas.addEventListener("pointerup", (event) => this.#end(event));
    this.#canvas.addEventListener("pointerleave", () => !this.#drag && page.hover(null));
    root.append(this.#tools, this.#empty, this.#note, this.#scroll, this.#panel);
    new ResizeObserver(() => this.#axes.length && page.study && this.#paint()).observe(this.#scroll);
  }

  get canvas() {
    return this.#canvas;
  }

  draw() {
    const { study, state } = this.#page;
    // What belonged to another study ends with it.
    if (this.#study !== study) [this.#study, this.#chosen] = [study, null];
    const all = this.#page.rows();
    const isEmpty = emptyRows(this.#empty, this.#page, all);
    for (const element of [this.#tools, this.#scroll, this.#panel, this.#note]) show(element, !isEmpty);
    this.#axes = [];
    if (isEmpty) return;
    this.#rows = bestShare(study, all, state.get("top"));
    this.#axes = makeAxes(study, this.#rows, { logs: state.get("log"), hasConstant: state.get("constant") });
    const tried = this.#page.shownCounts()?.tried ?? null;
    const thin = tried !== null && all.length < tried ? ` of ${count(tried, "trial")}, the front whole` : "";
    this.#note.textContent =
      `${count(this.#rows.length, "line")}${thin}; the better end of a figure is up, and below an axis a word does not apply. ` +
      "Drag along an axis to select, with Shift for a further range; a click on it clears it.";
    this.#canvas.setAttribute(
      "aria-label",
      `${count(this.#rows.length, "trial")} over ${this.#axes.map((axis) => axis.title).join(", ")}; the table has the same trials`,
    );
    drawParallelTools(this.#tools, state, () => this.#clear());
    this.#paint();
    this.#drawPanel();
    this.#page.whenDrawn("parallel");
  }

  // The trial that is pointed at, and the axes with their ranges, over the lines as they were painted.
  drawFocus() {
    const { study, focus } = this.#page;
    if (!this.#axes.length || !study) return;
    const context = this.#ground.show(this.#canvas);
    const row = study.trials.row(focus);
    if (row !== undefined) drawFocused(context, this.#axes, this.#frame, row);
    this.#axes.forEach((axis, place) =>
      drawAxis(context, axis, this.#ranges(axis), {
        y: this.#frame.y,
        left: this.#x(place),
        room: this.#x(place + 1) - this.#x(place) - 7,
      }),
    );
  }

  #x(place) {
    return this.#places[place];
  }

  #y(share) {
    const height = this.#height;
    return share === null ? height - 12 : height - BOTTOM - share * (height - TOP - BOTTOM);
  }

  #measure() {
    const width = this.#scroll.clientWidth - 2;
    this.#places = placesOf(this.#axes, LEFT, width);
    this.#height = Math.min(MOST, Math.max(LEAST, innerHeight - AROUND));
    this.#canvas.style.width = `${Math.max(this.#places.at(-1), width)}px`;
    this.#canvas.style.height = `${this.#height}px`;
  }

  #paint() {
    this.#measure();
    const { study, selection } = this.#page;
    const lines = { trials: study.trials, rows: this.#rows, picked: selection.numbers };
    drawLines(sharp(this.#canvas), this.#axes, this.#frame, lines);
    this.#ground.keep(this.#canvas);
    this.drawFocus();
    this.#placeHeads();
  }

  #placeHeads() {
    const { activeElement } = document;
    const held = this.#heads.contains(activeElement) ? activeElement.dataset.axis : null;
    put(
      this.#heads,
      this.#axes.map((axis, place) =>
        h(
          "button",
          {
            type: "button",
            class: "plain",
            "data-axis": axis.name,
            title: axis.title,
            "aria-expanded": String(this.#chosen === axis.name),
            style: { left: `${this.#x(place)}px` },
            onclick: () => this.#choose(axis.name),
          },
          axis.title,
          this.#ranges(axis).length > 0 && " ●",
        ),
      ),
    );
    this.#heads.style.width = this.#canvas.style.width;
    if (held) [...this.#heads.children].find((head) => head.dataset.axis === held)?.focus();
  }

  #choose(name) {
    this.#chosen = this.#chosen === name ? null : name;
    this.#drawPanel();
    this.#placeHeads();
  }

  #drawPanel() {
    const axis = this.#axes.find((each) => each.name === this.#chosen);
    show(this.#panel, axis !== undefined);
    if (!axis) return;
    const ranges = this.#ranges(axis);
    drawAxisPanel(this.#panel, axis, {
      ranges,
      state: this.#page.state,
      change: (changed) => this.#setRanges(axis, changed),
    });
  }

  #clear() {
    this.#page.state.set({ range: [] });
    this.#page.selection.select([]);
  }

  #ranges(axis) {
    if (this.#drag?.axis === axis && this.#drag.range)
      return [...(this.#drag.isAdded ? this.#stored(axis) : []), this.#drag.range];
    return this.#stored(axis);
  }

  #stored(axis) {
    return this.#page.state
      .get("range")
      .filter(([name]) => name === axis.name)
      .map(([, low, high]) => [low, high]);
  }

  #setRanges(axis, ranges) {
    const kept = this.#page.state.get("range").filter(([name]) => name !== axis.name);
    const range = [
      ...kept,
      ...ranges.map(([low, high]) => [axis.name, Number(low.toPrecision(4)), Number(high.toPrecision(4))]),
    ];
    this.#page.state.set({ range });
    const byAxis = new Map(this.#axes.map((each) => [each, this.#stored(each)]));
    const { trials } = this.#page.study;
    const inside = this.#rows.filter((row) => [...byAxis].every(([each, held]) => isInside(each, row, held)));
    this.#page.selection.select(range.length ? inside.map((row) => trials.numbers[row]) : []);
    this.#page.announce(range.length ? `${count(inside.length, "trial")} in the ranges` : "no ranges");
  }

  #at(event) {
    const frame = this.#canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
    const place = this.#axes.findIndex((_axis, i) => Math.abs(this.#x(i) - x) < 9);
    const share = (this.#height - BOTTOM - y) / (this.#height - TOP - BOTTOM);
    return { x, y, axis: this.#axes[place] ?? null, share: Math.min(Math.max(share, 0), 1) };
  }

  #begin(event) {
    const { axis, share } = this.#at(event);
    if (!axis) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#drag = { axis, begin: share, range: null, isAdded: event.shiftKey };
  }

  #move(event) {
    const { x, y, axis, share } = this.#at(event);
    if (!this.#drag) {
      this.#canvas.style.cursor = axis ? "ns-resize" : "default";
      this.#page.hover(this.#nearest(x, y));
      return;
    }
    const ends = [this.#drag.axis.at(this.#drag.begin), this.#drag.axis.at(share)];
    this.#drag.range = Math.abs(share - this.#drag.begin) < 0.01 ? null : [Math.min(...ends), Math.max(...ends)];
    this.drawFocus();
  }

  #end() {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag) return;
    this.#setRanges(drag.axis, drag.range ? [...(drag.isAdded ? this.#stored(drag.axis) : []), drag.range] : []);
  }

  // The trial whose line passes nearest, within a few pixels; null: none.
  #nearest(x, y) {
    const place = this.#axes.findIndex((_axis, i) => this.#x(i + 1) >= x);
    const [left, right] = [this.#axes[place], this.#axes[place + 1]];
    if (!left || !right) return null;
    const share = (x - this.#x(place)) / (this.#x(place + 1) - this.#x(place));
    let best = { row: null, distance: 5 };
    for (const row of this.#rows) {
      const height = this.#y(left.place(row)) * (1 - share) + this.#y(right.place(row)) * share;
      if (Math.abs(height - y) < best.distance) best = { row, distance: Math.abs(height - y) };
    }
    return best.row === null ? null : this.#page.study.trials.numbers[best.row];
  }
}
