// The views: all are made once, the one that is looked at is drawn, once a frame, however often it is asked for.

import { CompareView } from "./compare.js";
import { h, put, show } from "./dom.js";
import { withoutStudy } from "./empty.js";
import { ExportView, imagesOf } from "./export.js";
import { FrontView } from "./front.js";
import { ParallelView } from "./parallel.js";
import { ProgressView } from "./progress.js";
import { RunnersView } from "./runners.js";
import { TableView } from "./table.js";
import { TrialView } from "./trial.js";

const KINDS = {
  front: FrontView,
  table: TableView,
  parallel: ParallelView,
  progress: ProgressView,
  trial: TrialView,
  compare: CompareView,
  runners: RunnersView,
  export: ExportView,
};
// These have something to show without a study.
const NEEDS_NONE = new Set(["runners"]);
const SETTLED_MS = 60;

export class Stage {
  #page;
  #before;
  #views;
  #notice = h("div", { id: "no-study", class: "empty", hidden: true });
  #isWaiting = false;

  // `before` draws what stands around the views.
  constructor(page, before) {
    [this.#page, this.#before] = [page, before];
    this.#views = Object.fromEntries(
      Object.entries(KINDS).map(([name, View]) => [name, new View(document.getElementById(name), page)]),
    );
    document.getElementById("main").append(this.#notice);
  }

  // Draws soon. `body` has `data-pending` until what was asked for is drawn: for tests, and for those who wait.
  redraw() {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    document.body.dataset.pending = "";
    // A hidden tab has no frames; it is drawn when it is seen again.
    requestAnimationFrame(() => {
      this.#isWaiting = false;
      this.#draw();
    });
  }

  // Shows which trial is pointed at, and nothing else.
  drawFocus() {
    if (this.#page.study) this.#views[this.#page.state.get("view")].drawFocus?.();
  }

  // Back to the front's whole plane.
  reset() {
    this.#views.front.reset();
  }

  // Colours have changed: what was drawn in others is drawn again.
  recolour() {
    this.#views.compare.forget();
    this.redraw();
  }

  // Images of a view; one that is not looked at is drawn first, unseen by the reader but for a moment.
  async images(name, format) {
    const section = document.getElementById(name);
    const isHidden = section.hidden;
    show(section, true);
    try {
      await this.#views[name].draw();
      await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
      return await imagesOf(this.#views[name], name, format);
    } finally {
      show(section, !isHidden);
    }
  }

  async #draw() {
    const { state, study } = this.#page;
    const view = state.get("view");
    this.#before();
    const isEmpty = !NEEDS_NONE.has(view) && !study;
    for (const name of Object.keys(KINDS)) show(document.getElementById(name), name === view && !isEmpty);
    show(this.#notice, isEmpty);
    if (isEmpty) put(this.#notice, withoutStudy(this.#page));
    else {
      try {
        await this.#views[view].draw();
      } catch (error) {
        // Not of a study that was left meanwhile.
        if (this.#page.study === study) this.#page.fail(error);
      }
    }
    if (!this.#isWaiting) delete document.body.dataset.pending;
  }
}
