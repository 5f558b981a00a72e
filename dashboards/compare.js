// Two studies side by side, devices against each other, and what choosing by a cheaper figure would have cost.

import { drawFronts, drawRanks } from "./comparecharts.js";
import { card, choice, h, labelled, put, table } from "./dom.js";
import { message } from "./empty.js";
import { count, figure, NONE } from "./format.js";
import { Latest } from "./latest.js";

const WINNERS = { first: "first", second: "second", equal: "equal", null: "neither" };

export class CompareView {
  #page;
  #tools = h("div", { class: "tools controls" });
  #place = h("div");
  #charts = [];
  #latest;
  // The two that are shown, and the document.
  #pair = null;
  #shown = null;

  constructor(root, page) {
    this.#page = page;
    this.#latest = new Latest(() => page.redraw("compare"));
    root.append(this.#tools, this.#place);
    new ResizeObserver(() => this.#resized()).observe(this.#place);
  }

  get charts() {
    return this.#charts;
  }

  async draw() {
    const { state, study, studies, source } = this.#page;
    const { id } = study.info;
    const others = studies.filter((each) => each.id !== id);
    const other = others.find((each) => each.name === state.get("with")) ?? null;
    const options = [["", "its own runners and costs"], ...others.map((each) => [each.name, each.name])];
    if (!this.#tools.contains(document.activeElement)) {
      put(
        this.#tools,
        labelled(
          `${study.info.name} against`,
          choice(options, other?.name ?? "", (name) => state.set({ with: name }), {
            id: "compare-with",
            disabled: !source.isLive,
          }),
        ),
      );
    }
    // Running studies move: they are compared anew when trials of either have.
    const told = [study.info.status, JSON.stringify(study.counts), study.front.join(), study.baselines?.trials.version];
    const subject = [id, other?.id].join();
    const key = [subject, ...told, other?.status, JSON.stringify(other?.counts)].join();
    if (this.#pair !== subject) {
      [this.#pair, this.#shown, this.#charts] = [subject, null, []];
      put(this.#place);
    }
    await this.#latest.want(
      { subject, key },
      () => source.compare(id, other?.id ?? null),
      (found, problem) => (problem ? this.#say(problem) : this.#take(found)),
    );
    this.#page.whenDrawn("compare");
  }

  #say({ message: text }) {
    [this.#shown, this.#charts] = [null, []];
    put(this.#place, message("Not compared", text, null));
  }

  // Charts that would be the same are left alone, with their zoom.
  async #take(found) {
    const told = JSON.stringify(found);
    if (this.#shown === told) return;
    this.#shown = told;
    await this.#show(found);
  }

  #resized() {
    for (const chart of this.#charts)
      if (chart._fullLayout && chart.clientWidth) window.Plotly.relayout(chart, { width: chart.clientWidth });
  }

  // Draws anew the next time: the colours have changed.
  forget() {
    this.#shown = null;
    this.#latest.forget();
  }

  async #show(found) {
    this.#charts = [];
    const drawings = [];
    const chart = (label, draw) => {
      const element = h("div", { class: "chart low", "aria-hidden": "true" });
      this.#charts.push(element);
      drawings.push(() => draw(element));
      return h("figure", null, element, h("figcaption", { class: "note" }, label));
    };
    const notes = (found.notes ?? []).map((note) => h("p", { class: "note" }, note));
    put(
      this.#place,
      found.refused.length > 0 && refusal(found),
      found.kind === "studies" &&
        !found.refused.length && [
          h(
            "p",
            { class: "headline", id: "difference" },
            found.difference?.text ?? "No difference can be told: one of them has no front.",
          ),
          h("p", { id: "hypervolumes" }, `hypervolume: ${hypervolumes(found)}`),
          notes,
          chart(frontsCaption(found), (element) => drawFronts(element, found)),
          regionTable(found),
        ],
      found.kind === "study" && [notes, this.#standIns(found.stand_ins ?? [])],
      found.correlations.length > 0 &&
        h(
          "div",
          { class: "cards" },
          found.correlations.map((each) =>
            card(
              each.against ? `${each.figure} against ${each.against}` : `${each.figure}, the same networks in both`,
              h(
                "p",
                null,
                `rank correlation over ${count(each.num, "network")}: Spearman ${figure(each.spearman, 3)}, Kendall ${figure(each.kendall, 3)}`,
              ),
              chart("A point a network; along a rising line both agree on the order", (element) =>
                drawRanks(element, each),
              ),
            ),
          ),
        ),
      found.kind === "study" &&
        !found.correlations.length &&
        !(found.stand_ins ?? []).length &&
        message(
          "Nothing to compare within this study",
          "It times on one runner and has no exact costs on its front; choose another study.",
          null,
        ),
    );
    for (const draw of drawings) await draw();
  }

  #standIns(standIns) {
    if (!standIns.length) return null;
    const link = (number) => h("a", { href: this.#page.state.address({ view: "trial", trial: number }) }, `#${number}`);
    const rows = standIns.map((each) => [
      each.chosen_by,
      each.judged_by,
      figure(each.spearman, 3),
      `${each.front.length - each.missed.length} of ${each.front.length}`,
      each.hypervolume_share === null ? NONE : `${(100 * each.hypervolume_share).toFixed(1)} %`,
      each.missed.slice(0, 8).flatMap((number) => [link(number), " "]),
    ]);
    return card(
      "What choosing by a cheaper figure would have cost",
      h(
        "p",
        { class: "note" },
        "How much of the front of measured latencies is found by somebody who takes a cheaper figure in its place.",
      ),
      table(
        "Stand-ins for a measured latency",
        ["chosen by", "judged by", "Spearman", "of the front kept", "hypervolume kept", "missed"],
        rows,
        [false, false, true, true, true, false],
      ),
    );
  }
}

function hypervolumes({ first, second, fronts }) {
  return fronts.map((front, i) => `${[first, second][i].name} ${figure(front.hypervolume)}`).join(", ");
}

function frontsCaption({ first, second, regions }) {
  const better = regions[0]?.y ?? "value";
  return (
    `Fronts of ${first.name} (circles, solid) and ${second.name} (squares, dashed); ` +
    `the ground is shaded where one of them has the better ${better}`
  );
}

function refusal(found) {
  return h(
    "div",
    { class: "message refused", id: "refused" },
    h("h3", null, `${found.first.name} and ${found.second?.name ?? "itself"} do not compare`),
    h(
      "ul",
      null,
      found.refused.map((reason) => h("li", null, reason)),
    ),
    h(
      "p",
      { class: "note" },
      "Figures of other conditions on one chart would say what nobody measured; ranks may still be compared below.",
    ),
  );
}

function regionTable({ regions, objectives, first, second }) {
  if (!regions.length) return null;
  const [{ x, y }] = regions;
  const title = (name) => objectives.find((each) => each.name === name)?.short ?? name;
  const rows = regions.flatMap((region) =>
    region.from.map((from, i) => [
      `${figure(from)} to ${figure(region.to[i])}`,
      { first: first.name, second: second.name }[region.winner[i]] ?? WINNERS[region.winner[i]],
      figure(region.first[i]),
      figure(region.second[i]),
    ]),
  );
  return card(
    "Who is better where",
    table(
      `Best ${title(y)} for at most so much ${title(x)}`,
      [title(x), `better ${title(y)}`, first.name, second.name],
      rows,
      [false, false, true, true],
    ),
  );
}
