// Which part of a large study the page holds: sees to it that what is looked for is among it.

import { isSame, numbersKept, question } from "./question.js";

const WHOLE = { axes: "", ends: "" };

export class Holding {
  #page;
  #window = WHOLE;
  // The question that the trials are an answer to.
  #answered = {};
  #turn = 0;

  constructor(page) {
    this.#page = page;
  }

  // What the server is asked of the study now.
  question() {
    return question(this.#page, this.#window.axes === this.#axes() ? this.#window.ends : "");
  }

  // Another study begins with its whole plane.
  begin() {
    this.#window = WHOLE;
    this.#turn += 1;
  }

  // A whole answer to this question was taken.
  answered(asked) {
    this.#answered = asked;
  }

  // A zoom, `x0,x1,y0,y1`; empty: the whole plane.
  zoom(ends) {
    this.#window = { axes: this.#axes(), ends };
    this.fill();
  }

  // Asks for what is needed of a thinned study and not held: the part in view, what passes the filter, what is selected.
  // Once for each need, because a trial that an address names may not be there at all. An answer that comes when another
  // question was asked, or of a study that was left, is dropped.
  async fill() {
    const { source, study } = this.#page;
    if (!source.isLive || !study || study.isWhole) return;
    const [asked, before] = [this.question(), this.#answered];
    const isLacking = numbersKept(this.#page).some((number) => study.trials.row(number) === undefined);
    if (isSame(asked, before) && !(isLacking && asked.keep !== before.keep)) return;
    const turn = (this.#turn += 1);
    const isLate = () => turn !== this.#turn || study !== this.#page.study;
    this.#answered = asked;
    document.body.dataset.asking = "";
    try {
      const answer = await source.points(study.info.id, asked);
      if (isLate()) return;
      study.take(answer);
      this.#page.redraw();
    } catch (error) {
      if (isLate()) return;
      this.#answered = before;
      this.#page.fail(error);
    } finally {
      if (turn === this.#turn) delete document.body.dataset.asking;
    }
  }

  #axes() {
    return ["x", "y", "xlog", "ylog"].map((name) => this.#page.state.get(name)).join();
  }
}
