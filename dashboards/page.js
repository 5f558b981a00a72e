// The page as a whole: holds the study, and tells the views when to draw.

import { prepareCharts } from "./charts.js";
import { shownCounts } from "./counts.js";
import { Details } from "./details.js";
import { button } from "./dom.js";
import { Follower } from "./follow.js";
import { listed, percent } from "./format.js";
import { baselineText } from "./frontnotes.js";
import { Head } from "./head.js";
import { Holding } from "./holding.js";
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
  #holding = new Holding(this);
  // Rises with each study that is chosen: what an older choice led to is dropped when it comes.
  #opening = 0;

  constructor(source) {
    this.source = source;
    const theme = startTheme(() => this.#stage.recolour());
    this.#head = new Head(this, {
      study: (name) => this.state.fresh(name),
      pause: () => this.#pause(),
      theme: () => this.#head.drawTheme(theme.next()),
      help: showHelp,
    });
    this.#head.drawTheme(theme.name);
    this.#details = new Details(source);
    this.#inspector = new Inspector(document.getElementById("inspector"), this);
    this.#stage = new Stage(this, () => this.#drawFrame());
    this.#follower = new Follower(source, {
      question: () => this.#holding.question(),
      changed: (answer, asked) => this.#changed(answer, asked),
      state: () => this.#live(),
    });
    this.state.listen((changed) => this.#stateChanged(changed));
    startLinks(this.state);
    startKeys(moves(this, { help: showHelp, pause: () => this.#pause(), whole: () => this.#stage.reset() }));
  }

  // Reads the studies, then the one that the address or the server names; again while there are none.
  async start() {
    const turn = (this.#opening += 1);
    try {
      const { studies, chosen } = await this.source.studies();
      // Another study was chosen meanwhile, which is read by now.
      if (turn !== this.#opening) return;
      this.studies = studies;
      this.hasAnswered = true;
      this.problem = null;
      const wanted = this.state.get("study");
      const found = wanted ? studies.find((each) => each.name === wanted) : studies.find((each) => each.id === chosen);
      if (wanted && !found && studies.length)
        this.problem = `no study ${wanted}; known: ${listed(studies.map((each) => each.name))}; choose one above`;
      if (found && found.id !== this.study?.info.id) await this.#openStudy(found.id, turn);
    } catch (error) {
      if (turn === this.#opening) this.fail(error);
    }
    if (turn !== this.#opening) return;
    this.redraw();
    this.#later();
    prepareCharts();
  }

  // Rows of the trials that are shown.
  rows() {
    return this.selection.rows(this.study.trials);
  }

  // How many trials of each kind these are, in the database; null while that is not known.
  shownCounts() {
    return shownCounts(this.study, this.selection, this.state);
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

  // A zoom into these axes, `x0,x1,y0,y1`; empty: the whole plane.
  zoomed(ends) {
    this.#holding.zoom(ends);
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
    const { dataset } = document.body;
    dataset[`drawn${view}`] = String(Number(dataset[`drawn${view}`] ?? 0) + 1);
  }

  async copy(text) {
    await copyText(text);
    this.announce("copied");
  }

  async #openStudy(id, turn) {
    this.#holding.begin();
    const asked = this.#holding.question();
    const answer = await this.source.points(id, asked);
    if (turn !== this.#opening) return;
    this.study = new Study(answer, this.source.isLive);
    this.#holding.answered(asked);
    this.fresh = new Set();
    this.focus = this.state.get("trial");
    this.#details.forget();
    this.selection.forget();
    this.state.settle(this.study.info.name);
    this.#follower.follow(this.study);
    this.#holding.fill();
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
      // A search that has died says nothing: time alone tells.
      this.#head.draw();
      this.#live();
    } catch {
      // The follower tells of a server that is gone.
    }
    this.#later();
  }

  #changed(answer, asked) {
    const { study } = this;
    const [front, volume] = [study.front.join(), study.hypervolume];
    const added = study.take(answer);
    if (answer.is_whole) this.#holding.answered(asked);
    else this.fresh = new Set(added);
    if (study.front.join() !== front) {
      const gain = volume ? study.hypervolume / volume - 1 : null;
      this.announce(`front now ${study.front.length}${gain ? `, hypervolume ${percent(gain, 1)}` : ""}`);
    }
    this.redraw();
    this.#holding.fill();
  }

  #drawFrame() {
    this.#head.draw();
    this.#live();
    this.#inspector.draw();
  }

  #stateChanged(changed) {
    if (changed.has("study")) {
      this.study = null;
      this.problem = null;
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
    this.#holding.fill();
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
}
