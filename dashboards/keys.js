// Keys that work on the whole page, and the dialog that lists them.

import { button, h, put } from "./dom.js";
import { VIEWS } from "./state.js";

const KEYS = [
  ["1 to 8", "views: front, table, parallel coordinates, progress, trial, compare, runners, export"],
  ["/", "to the filter; Esc leaves it"],
  ["← →", "along the front, the cheapest first (on a trial: to the one before or after)"],
  ["Enter", "opens the trial that the keys stand on"],
  ["Space", "selects or unselects it"],
  ["Esc", "back: from a trial to the front, else the trial or the selection is let go"],
  ["k, x, u", "Keep the selected trials, Exclude them, Undo"],
  ["p", "pauses and resumes live updates"],
  ["z", "shows the whole plane again"],
  ["?", "this list"],
];

// Listens for keys. `acts` has a function for each thing that a key does.
export function startKeys(acts) {
  const plain = {
    "/": acts.filter,
    "?": acts.help,
    k: acts.keep,
    x: acts.exclude,
    u: acts.undo,
    p: acts.pause,
    z: acts.whole,
    ArrowLeft: () => acts.along(-1),
    ArrowRight: () => acts.along(1),
    Home: () => acts.along(-Infinity),
    End: () => acts.along(Infinity),
    Enter: acts.open,
    " ": acts.pick,
    Escape: acts.back,
  };
  VIEWS.forEach((view, i) => {
    plain[String(i + 1)] = () => acts.view(view);
  });
  addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.defaultPrevented ||
      document.querySelector("dialog[open]")
    )
      return;
    if (target.matches("input, select, textarea")) {
      if (key === "Escape") target.blur();
      return;
    }
    // A control keeps the keys that work it; arrows scroll what scrolls.
    if (target.matches("a, button, summary") && ["Enter", " "].includes(key)) return;
    if (target.matches('.wide, pre, [role="slider"]') && key.startsWith("Arrow")) return;
    if (plain[key]?.() ?? false) event.preventDefault();
  });
}

// Shows the keys in a dialog.
export function showHelp() {
  const dialog = document.getElementById("keys");
  put(
    dialog,
    h("h2", { id: "keys-heading" }, "Keys"),
    h(
      "dl",
      { class: "pairs" },
      KEYS.map(([key, text]) => [h("dt", null, h("kbd", null, key)), h("dd", null, text)]),
    ),
    h("h3", null, "Filter"),
    h(
      "p",
      null,
      h("code", null, "latency_ms<12 depth>=3 mixer~att status=failed t8"),
      ": all terms have to hold. A name is a figure, a choice, or the end of several (depth: of some stage); " +
        "~ means contains; a word alone is looked for in number, name, id, source and status.",
    ),
    h("h3", null, "Marks"),
    h(
      "p",
      null,
      "Filled circles are trials of the top rung, the front large and joined by the line that they attain; hollow ones " +
        "were stopped early, crosses break a rule of the study. Squares mark published networks that were tried as candidates, stars those that were " +
        "trained and timed as baselines; diamonds are published figures from elsewhere. Bars are 95 % intervals.",
    ),
    button("Close", () => dialog.close(), { autofocus: true }),
  );
  dialog.showModal();
  return true;
}
