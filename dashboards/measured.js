// What was measured of a trial: latencies with their samples, and accuracies.

import { details, h, pairs, table } from "./dom.js";
import { clock, figure, grouped, interval, moment } from "./format.js";
import { samplesFigure } from "./samples.js";

// A latency with its samples, its verdict in words and the conditions it was measured under.
export function measurementCard(found) {
  const ratio =
    found.ratio_to_reference === null
      ? null
      : `${interval(found.ratio_to_reference, found.ratio_low, found.ratio_high)} times FastViT-T8`;
  return h(
    "div",
    { class: "card measurement" },
    h(
      "p",
      null,
      h("strong", null, found.ms === null ? "no figure" : `${interval(found.ms, found.low_ms, found.high_ms)} ms`),
      ` on ${found.runner}, ${found.runtime}, ${found.threads} thread${found.threads === 1 ? "" : "s"}, ${found.resolution} px `,
      h("span", { class: `chip ${found.verdict === "valid" ? "good" : "warn"}` }, found.verdict),
    ),
    h("p", { class: "note" }, [found.verdict_text, found.reason].filter(Boolean).join("; ")),
    pairs([
      ["ratio", ratio],
      ["interval", found.interval_kind],
      ["measured", moment(found.created_at)],
      ["session", h("code", null, found.session ?? "–")],
    ]),
    samplesFigure(found) ?? h("p", { class: "note" }, "No raw samples: nothing was timed."),
    details("Conditions (fingerprint)", factTable("Fingerprint", found.fingerprint)),
    details("All statistics", factTable("Statistics", found.summary)),
  );
}

// The score by rung, and the pictures that it was bought with; one without training has no loss to tell.
export function scoresTable(scores, score) {
  if (!scores.length) return h("p", { class: "note" }, "Not scored at any rung yet.");
  if (score.name !== "accuracy")
    return [
      h("p", { class: "note" }, "Nothing was trained: this ranks networks and is no accuracy."),
      table(
        "Scores",
        [score.short, "pictures", "time"],
        scores.map((each) => [figure(each.accuracy), grouped(each.images), clock(each.seconds)]),
        [true, true, true],
      ),
      details("What it was found from", factTable("Fidelity", scores.at(-1).fidelity)),
    ];
  const rows = scores.map((each) => [
    `rung ${each.rung}`,
    figure(each.accuracy),
    figure(each.loss),
    grouped(each.images),
    clock(each.seconds),
  ]);
  return [
    table("Scores", ["rung", "accuracy", "loss", "pictures", "time"], rows, [false, true, true, true, true]),
    details("What it was trained on", factTable("Fidelity", scores.at(-1).fidelity)),
  ];
}

// Facts as [name, value] in a table.
function factTable(caption, facts) {
  return table(
    caption,
    ["name", "value"],
    facts.map(([name, value]) => [h("code", null, name), value]),
  );
}
