// Devices that measure: what they are, whether they are there, what they do, and what went wrong last.

import { card, h, pairs, put } from "./dom.js";
import { message } from "./empty.js";
import { ago, clock, grouped, listed, moment } from "./format.js";

const EVERY_MS = 5000;

export class RunnersView {
  #page;
  #place = h("div");
  #timer = null;
  #isAsking = false;

  constructor(root, page) {
    this.#page = page;
    root.append(this.#place);
  }

  // Read anew while it is looked at: heartbeats are no part of a study.
  async draw() {
    const { source } = this.#page;
    // Never a second question before the first is answered, whoever wants to draw.
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      this.#show(await source.runners());
    } catch (error) {
      put(this.#place, message("Runners are not known", error.message, null));
    }
    this.#isAsking = false;
    this.#page.whenDrawn("runners");
    clearTimeout(this.#timer);
    if (source.isLive) this.#timer = setTimeout(() => this.#again(), EVERY_MS);
  }

  // Ends where another view is looked at; a hidden tab waits until it is seen.
  #again() {
    if (this.#page.state.get("view") !== "runners") return;
    if (document.hidden) this.#timer = setTimeout(() => this.#again(), EVERY_MS);
    else this.draw();
  }

  #show({ runners, here }) {
    put(
      this.#place,
      runners.length
        ? h("div", { class: "cards" }, runners.map(runnerCard))
        : message(
            "No runner is registered",
            "Candidates are timed on this machine. A board, a phone or another computer is added with:",
            h("p", null, h("code", null, "bench runners register NAME")),
          ),
      here.length > 0 && h("h3", null, "Timed without a registered runner"),
      here.length > 0 &&
        h(
          "div",
          { class: "cards" },
          here.map((each) =>
            card(
              each.runner,
              pairs([
                ["machine", each.machine],
                ["studies", listed(each.studies)],
              ]),
            ),
          ),
        ),
    );
  }
}

function runnerCard(runner) {
  const status = runner.shown_status;
  const { lease, last_error: error } = runner;
  return h(
    "div",
    { class: "card runner" },
    h(
      "h3",
      null,
      runner.name,
      " ",
      h("span", { class: `chip ${{ ready: "good", busy: "good", away: "warn" }[status] ?? status}` }, status),
    ),
    runner.reason && h("p", { class: "note" }, runner.reason),
    pairs([
      ["device", runner.device],
      ["kind", runner.kind],
      ["runtimes", listed(runner.runtimes)],
      ["agent", runner.agent_version],
      ["heartbeat", runner.last_seen ?? ago(runner.last_seen_seconds)],
      ["queued", grouped(runner.queued)],
      ["lease", lease ? `job ${lease.job.slice(0, 8)}, attempt ${lease.attempt}, for ${clock(lease.seconds)}` : "none"],
      ...runner.health,
      ...runner.noise.map(([name, value]) => [`A/A ${name}`, value]),
      [
        "last error",
        error ? h("span", { class: "wrong" }, `${error.kind}: ${error.reason} (${moment(error.at)})`) : "none",
      ],
    ]),
  );
}
