// The frame around the views: which study, how it stands, live or paused, the views, the filter and the selection.

import { button, h, put, putKept, show } from "./dom.js";
import { count, figure, grouped, moment } from "./format.js";
import { VIEWS } from "./state.js";

const TITLES = {
  front: "Front",
  table: "Table",
  parallel: "Parallel",
  progress: "Progress",
  trial: "Trial",
  compare: "Compare",
  runners: "Runners",
  export: "Export",
};
// What is told of a search that should go on.
const LIVES = { running: "● live", silent: "silent", gone: "process gone" };
const TYPED_MS = 150;

const find = (id) => document.getElementById(id);

export class Head {
  #page;
  #typing = null;

  constructor(page, acts) {
    this.#page = page;
    find("study").addEventListener("change", (event) => acts.study(event.target.value));
    find("live").addEventListener("click", acts.pause);
    find("theme").addEventListener("click", acts.theme);
    find("help").addEventListener("click", acts.help);
    find("filter").addEventListener("input", (event) => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => page.state.set({ filter: event.target.value.trim(), page: 1 }), TYPED_MS);
    });
  }

  draw() {
    const { state, studies, study } = this.#page;
    const view = state.get("view");
    document.body.dataset.view = view;
    document.title = study ? `${TITLES[view]} · ${study.info.name} · bench` : "bench";
    put(
      find("views"),
      VIEWS.map((name, i) =>
        h(
          "a",
          { href: state.address({ view: name }), "aria-current": name === view ? "page" : null },
          h("kbd", { "aria-hidden": "true" }, i + 1),
          TITLES[name],
        ),
      ),
    );
    this.#drawStudies(studies, study);
    this.#drawFacts(study);
    this.#drawFilter();
  }

  // Whether answers come, wait or fail.
  drawLive(follower) {
    const { source, study } = this.#page;
    const element = find("live");
    const text = !source.isLive
      ? `file of ${moment(source.madeAt)}`
      : follower.isPaused
        ? `paused${follower.waiting ? ` – ${count(follower.waiting, "new", "new")}` : ""}`
        : follower.error
          ? "no answer"
          : (LIVES[study?.life] ?? "live");
    element.textContent = text;
    element.disabled = !source.isLive;
    element.setAttribute("aria-pressed", String(follower.isPaused));
    element.title = follower.isPaused
      ? "show what is new, and follow again (p)"
      : "pause (p): nothing moves until you go on";
    element.classList.toggle("waiting", Boolean(follower.isPaused || follower.error || study?.life === "gone" || study?.life === "silent"));
  }

  drawTheme(name) {
    find("theme").textContent = { auto: "◐", light: "☀", dark: "☾" }[name];
    find("theme").setAttribute("aria-label", `Colours: ${name}; press for the next`);
  }

  // A line over everything, for what went wrong; null takes it away.
  tell(text) {
    find("banner").textContent = text ?? "";
    show(find("banner"), Boolean(text));
  }

  // For those who listen.
  announce(text) {
    find("announce").textContent = text;
  }

  #drawStudies(studies, study) {
    const element = find("study");
    const key = JSON.stringify([studies.map((each) => [each.name, each.status, each.is_driven]), study?.info.name]);
    if (element.dataset.key === key || document.activeElement === element) return;
    element.dataset.key = key;
    const rest = (each) => (each.baselines_of === null ? "" : ", baselines");
    put(
      element,
      studies.map((each) =>
        h(
          "option",
          { value: each.name, selected: each.name === study?.info.name },
          `${each.name} (${each.is_driven === false ? "process gone" : each.status}${rest(each)})`,
        ),
      ),
    );
    element.disabled = studies.length < 2 || !this.#page.source.isLive;
  }

  #drawFacts(study) {
    const chip = find("status");
    if (!study) {
      chip.textContent = "";
      put(find("facts"));
      return;
    }
    const { info, pace, counts } = study;
    const { life } = study;
    const silence = `nothing was written for ${grouped(study.idleSeconds)} s`;
    const told = {
      silent: ["running, but silent", `${silence}; if its process is gone: bench search --resume ${info.name}`],
      gone: ["process gone", `it never said that it ended; ${silence}; go on with: bench search --resume ${info.name}`],
    }[life];
    chip.className = `chip ${told ? "warn" : info.status}`;
    chip.textContent = told ? told[0] : info.status;
    chip.title = [info.reason, told?.[1]].filter(Boolean).join("; ");
    const facts = [
      ["done", `${grouped(pace.done)} of ${grouped(pace.budget)}`],
      ["running", pace.running > 0 ? grouped(pace.running) : null],
      ["failed", pace.failed > 0 ? grouped(pace.failed) : null],
      ["tried", counts.tried !== pace.done ? grouped(counts.tried) : null],
      ["front", grouped(counts.front), study.frontName, study.standing],
      ["hypervolume", study.hypervolume === null ? null : figure(study.hypervolume, 5)],
      ["on", info.machine],
    ];
    put(
      find("facts"),
      facts
        .filter(([, value]) => value)
        .map(([name, value, title = name, told = null]) =>
          h("div", { title: told }, h("dt", null, title), h("dd", { "data-fact": name }, value)),
        ),
    );
  }

  #drawFilter() {
    const { state, study, selection } = this.#page;
    const input = find("filter");
    if (document.activeElement !== input) input.value = state.get("filter");
    const note = find("filter-note");
    note.textContent = study ? this.#passing(study) : "";
    note.classList.toggle("wrong", selection.error !== null);
    input.setAttribute("aria-invalid", String(selection.error !== null));
    const { numbers } = selection;
    const tools = find("picked-tools");
    find("picked").textContent = numbers ? `${grouped(numbers.size)} selected` : "";
    const isCut = state.get("keep") !== null || state.get("drop") !== null;
    const hasCut = isCut || state.get("filter") !== "";
    const isHeld = tools.contains(document.activeElement);
    putKept(
      tools,
      JSON.stringify([numbers !== null, selection.canUndo, hasCut]),
      numbers && [
        button("Keep", () => selection.keep(), { "aria-keyshortcuts": "k" }),
        button("Exclude", () => selection.exclude(), { "aria-keyshortcuts": "x" }),
        button("Let go", () => selection.select([])),
      ],
      selection.canUndo && button("Undo", () => selection.undo(), { "aria-keyshortcuts": "u" }),
      hasCut && this.#page.clearButton(),
    );
    // The button that was pressed may be gone with what it was for.
    if (isHeld && !tools.contains(document.activeElement)) (tools.firstElementChild ?? input).focus();
  }

  // How many trials pass the filter, of all that the database has.
  #passing(study) {
    const rows = this.#page.rows().length;
    const { error } = this.#page.selection;
    if (error !== null) return error;
    const counts = this.#page.shownCounts();
    const { tried } = study.counts;
    if (counts) return counts.tried < tried ? `${grouped(counts.tried)} of ${count(tried, "trial")}` : count(tried, "trial");
    const refused = study.refused(this.#page.state.get("filter"));
    if (refused) return refused;
    return this.#page.source.isLive
      ? `counting in ${count(tried, "trial")} ...`
      : `${grouped(rows)} of the ${count(study.trials.length, "trial")} in this file, which are of ${grouped(tried)}`;
  }
}
