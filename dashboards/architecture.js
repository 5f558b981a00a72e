// A network as a strip of blocks: a bar a block, as wide as it has channels, coloured and hatched by its mixer.

import { h, s } from "./dom.js";
import { figure } from "./format.js";

const HEIGHT = 46;
const MOST_BLOCKS = 60;
const NUM_COLOURS = 8;

// Stages {number, depth, width, mixer} out of the columns of a study's choices; null where depth or width is not among them.
export function blocksFromChoices(trials, row) {
  const stages = [];
  for (let number = 1; `stage${number}.depth` in trials.choices; number += 1) {
    const word = (name) => trials.choices[`stage${number}.${name}`]?.[row] ?? null;
    if (word("depth") === null || word("width") === null) return null;
    stages.push({ number, depth: word("depth"), width: word("width"), mixer: word("mixer") });
  }
  return stages.length ? stages : null;
}

// The strip as a figure with a text for those who do not see it.
export function strip(stages) {
  const known = stages.filter((stage) => stage.depth && stage.width);
  if (!known.length) return h("p", { class: "note" }, "This family tells no depth and width by stage.");
  const widest = Math.max(...known.map((stage) => stage.width));
  const blocks = known.flatMap((stage) => Array.from({ length: Math.min(stage.depth, MOST_BLOCKS) }, () => stage));
  const gaps = 6 * (known.length - 1);
  const step = (300 - gaps) / blocks.length;
  let left = 0;
  let last = known[0];
  const bars = blocks.map((stage) => {
    if (stage !== last) left += 6;
    last = stage;
    const height = Math.max(3, (HEIGHT * stage.width) / widest);
    const bar = s("rect", {
      x: left,
      y: (HEIGHT - height) / 2,
      width: Math.max(1, step - 1),
      height,
      rx: 1,
      class: `op${colour(stage.mixer, known)}`,
    });
    left += step;
    return bar;
  });
  const text = known
    .map(
      (stage) =>
        `stage ${stage.number}: ${stage.depth} blocks of ${stage.width} channels${stage.mixer ? `, ${stage.mixer}` : ""}`,
    )
    .join("; ");
  const mixers = [...new Set(known.map((stage) => stage.mixer).filter(Boolean))];
  return h(
    "figure",
    { class: "strip" },
    s("svg", { viewBox: `0 0 300 ${HEIGHT}`, role: "img", "aria-label": text, preserveAspectRatio: "none" }, bars),
    h(
      "figcaption",
      null,
      known.map((stage) => `${stage.depth}×${stage.width}`).join("  "),
      mixers.map((mixer) => h("span", { class: `key op${colour(mixer, known)}` }, mixer)),
    ),
  );
}

// Costs by stage as a table's rows: [stage, blocks, words, params, MACs, share].
export function stageRows(architecture) {
  const cells = (costs) => [costs?.params_m, costs?.macs_g].map((value) => figure(value));
  const rows = architecture.stages.map((stage) => {
    const words = Object.entries(stage.words ?? {})
      .filter(([name]) => !["depth", "width"].includes(name))
      .map(([name, value]) => `${name} ${value}`);
    const share = stage.share_of_macs ?? null;
    const bar =
      share === null
        ? "–"
        : h(
            "span",
            { class: "share" },
            h("span", { style: { width: `${Math.round(share * 100)}%` } }),
            `${Math.round(share * 100)} %`,
          );
    return [`stage ${stage.number}`, `${stage.depth} × ${stage.width}`, words.join(", "), ...cells(stage.blocks), bar];
  });
  return [
    ...rows,
    ["elsewhere", "", "stem, downsampling, head", ...cells(architecture.elsewhere), ""],
    ["total", "", "", ...cells(architecture.total), ""],
  ];
}

// A number for each mixer, the same in all networks for the common ones.
function colour(mixer, stages) {
  const common = ["repmixer", "attention", "pooling"];
  if (common.includes(mixer)) return common.indexOf(mixer) + 1;
  const others = [...new Set(stages.map((stage) => stage.mixer))].filter((other) => !common.includes(other));
  return ((common.length + others.indexOf(mixer)) % NUM_COLOURS) + 1;
}
