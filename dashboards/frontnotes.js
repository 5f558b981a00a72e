// Below the front: what each mark means and how many there are, and all that has to be said about what is drawn.

import { drawnOf } from "./counts.js";
import { button, check, choice, h, labelled, s } from "./dom.js";
import { count, figure, grouped as thousands, listed } from "./format.js";
import { isPublished, publishedDevices } from "./published.js";

const GLYPHS = {
  front: () => s("circle", { cx: 7, cy: 7, r: 5, class: "fill" }),
  dominated: () => s("circle", { cx: 7, cy: 7, r: 3.5, class: "fill" }),
  early: () => s("circle", { cx: 7, cy: 7, r: 3.5, class: "stroke" }),
  infeasible: () => s("path", { d: "M3 3 11 11M11 3 3 11", class: "stroke" }),
  measured: () =>
    s("path", { d: "M7 1 8.6 5.2 13 5.4 9.6 8.2 10.8 12.6 7 10.1 3.2 12.6 4.4 8.2 1 5.4 5.4 5.2Z", class: "fill" }),
  published: () => s("path", { d: "M7 1 13 7 7 13 1 7Z", class: "stroke" }),
  reference: () => s("rect", { x: 1.5, y: 1.5, width: 11, height: 11, class: "stroke" }),
  attained: () => s("path", { d: "M1 12 H6 V6 H13 V2", class: "stroke" }),
};

// Kinds of trials that can be switched off, and by what.
const SWITCHES = { dominated: "dominated", early: "stopped" };

// Entries of the legend with how many there are (`counts`, by kind, of the database; null while not known), those without points left out.
export function legend(study, groups, options, counts) {
  const entry = (kind, text) =>
    h(
      "li",
      { class: `mark ${kind}` },
      s("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" }, GLYPHS[kind]()),
      text,
    );
  const of = (kind) => drawnOf(groups[kind].length, counts?.[kind], thousands);
  const figures = options.size ? study.figure(options.size) : null;
  return [
    entry("front", `${study.frontName} ${of("front")}`),
    study.attainment(options.x, options.y) && entry("attained", "attained"),
    groups.dominated.length > 0 && entry("dominated", `dominated ${of("dominated")}`),
    groups.early.length > 0 && entry("early", `stopped early ${of("early")} (fewer pictures seen)`),
    groups.infeasible.length > 0 && entry("infeasible", `breaks a rule ${of("infeasible")}`),
    [...groups.front, ...groups.dominated].some((row) => study.trials.columns.name[row]) &&
      entry("reference", "published networks tried as candidates"),
    options.measured && study.baselines && !options.isHidden && entry("measured", `baselines, measured ${options.isElsewhere ? "elsewhere" : "here"}`),
    options.published.length > 0 && entry("published", "published, elsewhere"),
    figures &&
      h(
        "li",
        { class: "note" },
        `the larger the better ${figures.short}: circle, square, triangle from the best third to the worst`,
      ),
    study.counts.status.failed > 0 &&
      h(
        "li",
        null,
        h(
          "button",
          { type: "button", class: "chip bad", "data-filter": "status=failed" },
          count(study.counts.status.failed, "failed trial"),
        ),
      ),
  ];
}

// Sentences below the legend.
export function notes(page, groups, options, { published, showAnyway, setDevice }) {
  const { study } = page;
  const all = [];
  if (study.standing) all.push(h("p", { class: "note", id: "standing" }, `${study.standing}.${beyond(study)}`));
  const thinned = thinnedText(page, groups, options);
  if (thinned) all.push(h("p", { class: "note", id: "thinning" }, thinned));
  if (!study.front.length)
    all.push(
      h("p", { class: "note" }, "Nothing has reached the top rung yet; tick “stopped early” to see what was tried."),
    );
  if (study.front.length === 1)
    all.push(
      h(
        "p",
        { class: "note" },
        "One trial on the front so far: nothing else has reached the top rung without being dominated by it.",
      ),
    );
  if (study.hypervolume === null && study.front.length)
    all.push(h("p", { class: "note" }, "No hypervolume yet: its worst corner is stated after the first measurements."));
  if (options.stopped)
    all.push(
      h(
        "p",
        { class: "note" },
        "Trials stopped early stand at the accuracy they had by then, after fewer pictures: they do not compare with the others.",
      ),
    );
  if (options.isHidden) all.push(incomparable(study, showAnyway));
  if (options.wantsPublished) all.push(...publishedNotes(page, options, published, setDevice));
  return all;
}

// Why a network may lie beyond the attained line.
function beyond({ numFallenOut }) {
  return numFallenOut
    ? " All stand at the scores of the search, so that what fell out, drawn as dominated, may lie beyond the attained line."
    : "";
}

// What is not drawn because it would be too much; empty where all is.
function thinnedText(page, groups, options) {
  const { study, source } = page;
  if (study.isWhole && !study.drawn) return "";
  const counts = page.shownCounts();
  if (!counts) return "";
  const kinds = { dominated: "dominated trials", early: "trials stopped early", infeasible: "trials that break a rule" };
  const told = Object.entries(kinds)
    .filter(([kind]) => options[SWITCHES[kind]] !== false && groups[kind].length < counts[kind])
    .map(([kind, name]) => `${thousands(groups[kind].length)} of ${thousands(counts[kind])} ${name}`);
  const rest = source.isLive || study.isWhole ? "" : `. ${source.notes[0]}`;
  return told.length ? `front complete; ${told.join(" and ")} shown, evenly over the plane${rest}` : "";
}

function incomparable({ baselines }, showAnyway) {
  return h(
    "p",
    { class: "note", id: "incomparable" },
    `The baselines were measured under other conditions and are not drawn: ${listed(baselines.differences, 4)}. `,
    button("Show them anyway", showAnyway),
  );
}

function publishedNotes(page, options, published, setDevice) {
  if (!published) return [h("p", { class: "note" }, "Reading what was published ...")];
  const { state, study } = page;
  const why =
    !isPublished(options.x) || !isPublished(options.y)
      ? `nothing was published of ${[options.x, options.y].filter((name) => !isPublished(name)).join(" and ")}; choose accuracy, latency, params or macs`
      : !options.isNormalised
        ? "fastvit_t8, which both sets are divided by, has not reached the top rung here; train it with: bench baselines " +
          study.info.name
        : !options.published.length
          ? "no device has published latencies of fastvit_t8 and others"
          : null;
  if (why) return [h("p", { class: "note", id: "published-note" }, `Published networks are not drawn: ${why}.`)];
  const devices = publishedDevices(published).map((device) => [device, device]);
  return [
    h(
      "p",
      { class: "note", id: "published-note" },
      h("strong", null, "Axes in multiples of FastViT-T8. "),
      "Diamonds are published figures: other pictures, other training, another device. Each set is divided by its own " +
        "FastViT-T8; read the shapes of the fronts against each other, not their values. ",
      published.note,
    ),
    h(
      "p",
      { class: "tools" },
      [options.x, options.y].some((name) => name.startsWith("latency_ms")) &&
        labelled("device", choice(devices, options.device, setDevice, { id: "published-device" })),
      h("span", { class: "note", id: "published-count" }, `${count(options.published.length, "published network")}`),
      check("off", false, () => state.set({ published: false })),
    ),
  ];
}

// What is told of a baseline under the pointer.
export function baselineText(study, kind, given) {
  if (kind === "published") return given;
  const { trials, is_comparable: isHere } = study.baselines;
  const figures = study.figures
    .filter((each) => trials.value(given, each.name) !== null)
    .map((each) => `${each.short} ${figure(trials.value(given, each.name))} ${each.unit}`.trim());
  return `${trials.columns.name[given] ?? trials.label(given)}, measured ${isHere ? "here" : "elsewhere"}: ${figures.join(", ")}`;
}
