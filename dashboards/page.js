// The page as a whole: holds the study, and tells the views when to draw.

import { Details } from "./details.js";
import { button } from "./dom.js";
import { Follower } from "./follow.js";
import { listed, percent } from "./format.js";
import { baselineText } from "./frontnotes.js";
import { Head } from "./head.js";
import { Inspector } from "./inspector.js";
import { showHelp, startKeys } from "./keys.js";
import { startLinks } from "./links.js";
import { moves } from "./moves.js";
import { copyText } from "./saving.js";
import { Selection } from "./selection.js";
import { Stage } from "./stage.js";
import { State } from "./state.js";
import { Study } from "./study.js";
import { startTheme } from "./theme.js";

const STUDIES_MS = 4000;
const MOST_KEPT = 200;

// What all views share: the study, the state, the selection, and the trial that is pointed at.
export class Page {
  state = new State();
  selection = new Selection(this.state);
  study = null;
  studies = [];
  focus = null;
  fresh = new Set();
  // What went wrong, in a line; null: nothing.
  problem = null;
  // Whether the studies were read at all.
  hasAnswered = false;
  #follower;
  #head;
  #inspector;
  #stage;
  #details;
  #timer = null;

  constructor(source) {
    this.source = source;
    const theme = startTheme(() => this.#stage.recolour());
    this.#head = new Head(this, {
      study: (name) => this.state.fresh(name),
      pause: () => this.#pause(),
      theme: () => this.#head.drawTheme(theme.next()),
      help: () => this.#help(),
    });
    this.#head.drawTheme(theme.name);
    this.#details = new Details(source);
    this.#inspector = new Inspector(document.getElementById("inspector"), this);
    this.#stage = new Stage(this, () => this.#drawFrame());
    this.#follower = new Follower(source, { changed: (answer) => this.#changed(answer), state: () => this.#live() });
    this.state.listen((changed) => this.#stateChanged(changed));
    startLinks(this.state);
    startKeys(moves(this, { help: () => this.#help(), pause: () => this.#pause(), whole: () => this.#stage.reset() }));
  }

  // Reads the studies, then the one that the address or the server names; again while there are none.
  async start() {
    try {
      const { studies, chosen } = await this.source.studies();
      this.studies = studies;
      this.hasAnswered = true;
      this.problem = null;
      const wanted = this.state.get("study");
      const found = wanted ? studies.find((each) => each.name === wanted) : studies.find((each) => each.id === chosen);
      if (wanted && !found && studies.length)
        this.problem = `no study ${wanted}; known: ${listed(studies.map((each) => each.name))}; choose one above`;
      if (found && found.id !== this.study?.info.id) await this.#openStudy(found.id);
    } catch (error) {
      this.fail(error);
    }
    this.redraw();
    this.#later();
  }

  // Rows of the trials that are shown.
  rows() {
    return this.selection.rows(this.study.trials);
  }

  // Draws what is looked at; where a view is named, only if it is that one.
  redraw(view = null) {
    if (view === null || view === this.state.get("view")) this.#stage.redraw();
  }

  // The trial that the pointer or the keys stand on; null: none.
  hover(number) {
    if (number === this.focus) return;
    this.focus = number;
    this.#inspector.draw();
    this.#stage.drawFocus();
  }

  hoverBaseline(kind, given) {
    this.#inspector.tell(baselineText(this.study, kind, given));
  }

  open(number) {
    this.state.set({ view: "trial", trial: number });
  }

  announce(text) {
    this.#head.announce(text);
  }

  fail(error) {
    this.problem = error.message;
    this.#live();
  }

  // A promise of a trial's document.
  trial(id, isFresh = false) {
    return this.#details.get(id, isFresh);
  }

  // Images of a view as [name, blob].
  images(name, format) {
    return this.#stage.images(name, format);
  }

  // Asks for the study anew, for other dominated trials than those that are held.
  async askAnew(query) {
    const { thinning, counts, trials, info } = this.study;
    const isWhole = counts.tried <= trials.length && !(thinning && thinning.shown < thinning.dominated);
    if (!this.source.isLive || isWhole) return;
    const wanted = [...(this.selection.numbers ?? []), ...(this.focus === null ? [] : [this.focus])];
    try {
      const answer = await this.source.points(info.id, { ...query, ...kept(wanted) });
      if (answer.study.id !== this.study?.info.id) return;
      this.study.take(answer);
      this.redraw();
    } catch (error) {
      this.fail(error);
    }
  }

  forgetFresh() {
    if (!this.fresh.size) return;
    this.fresh = new Set();
    this.#stage.drawFocus();
  }

  clearButton() {
    return button("Show all", () => this.state.set({ filter: "", keep: null, drop: null, page: 1 }));
  }

  // For tests and for those who wait: how often a view was drawn.
  whenDrawn(view) {
    document.body.dataset[`drawn${view}`] = String(Number(document.body.dataset[`drawn${view}`] ?? 0) + 1);
  }

  async copy(text) {
    await copyText(text);
    this.announce("copied");
  }

  async #openStudy(id) {
    const answer = await this.source.points(id, kept(this.selection.numbers ?? []));
    this.study = new Study(answer);
    this.fresh = new Set();
    this.focus = this.state.get("trial");
    this.#details.forget();
    this.selection.forget();
    this.state.settle(this.study.info.name);
    this.#follower.follow(this.study);
  }

  #later() {
    clearTimeout(this.#timer);
    if (this.source.isLive) this.#timer = setTimeout(() => this.#studiesAgain(), STUDIES_MS);
  }

  async #studiesAgain() {
    if (!this.study && !document.hidden) {
      await this.start();
      return;
    }
    try {
      if (!document.hidden) this.studies = (await this.source.studies()).studies;
      this.#head.draw();
    } catch {
      // The follower tells of a server that is gone.
    }
    this.#later();
  }

  #changed(answer) {
    const { study } = this;
    const before = { front: study.front.join(), hypervolume: study.hypervolume };
    const added = study.take(answer);
    if (!answer.is_whole) this.fresh = new Set(added);
    if (study.front.join() !== before.front) {
      const gain = before.hypervolume ? study.hypervolume / before.hypervolume - 1 : null;
      this.announce(`front now ${study.front.length}${gain ? `, hypervolume ${percent(gain, 1)}` : ""}`);
    }
    this.redraw();
  }

  #drawFrame() {
    this.#head.draw();
    this.#live();
    this.#inspector.draw();
  }

  #stateChanged(changed) {
    if (changed.has("study")) {
      this.study = null;
      this.#follower.follow(null);
      this.start();
      return;
    }
    this.problem = null;
    if (changed.has("view")) {
      document.getElementById("main").focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    if (changed.has("trial") && this.state.get("trial") !== null) this.focus = this.state.get("trial");
    this.redraw();
  }

  #live() {
    this.#head.drawLive(this.#follower);
    this.#head.tell(this.#follower.error?.message ?? this.problem);
  }

  #pause() {
    if (!this.source.isLive) return false;
    if (this.#follower.isPaused) this.#follower.resume();
    else this.#follower.pause();
    return true;
  }

  #help() {
    showHelp(document.getElementById("keys"));
    return true;
  }
}

// A question for some trials to be among the rows, whatever is thinned.
function kept(numbers) {
  const wanted = [...new Set(numbers)].slice(0, MOST_KEPT);
  return wanted.length ? { keep: wanted.join() } : {};
}
