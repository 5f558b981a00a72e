// The keyboard's way to what the pointer does on an axis of the parallel coordinates.

import { button, check, h, labelled, putKept } from "./dom.js";
import { figure } from "./format.js";

// Draws the controls of an axis: its ranges, and whether it is logarithmic.
export function drawAxisPanel(element, axis, { ranges, state, change }) {
  const [from, to] = ["from", "to"].map((name) =>
    h("input", { type: "number", step: "any", class: "small", "aria-label": `${name}, ${axis.title}` }),
  );
  const add = () => {
    const [least, most] = [Math.min(axis.at(0), axis.at(1)), Math.max(axis.at(0), axis.at(1))];
    const end = (input, open) => (input.value === "" ? open : Math.min(Math.max(Number(input.value), least), most));
    change([...ranges, [end(from, least), end(to, most)].sort((a, b) => a - b)]);
  };
  const logs = state.get("log");
  const setLog = (isOn) => state.set({ log: isOn ? [...logs, axis.name] : logs.filter((name) => name !== axis.name) });
  const told = ranges.map(([low, high]) => `${figure(low)} to ${figure(high)}`).join(", ");
  // A word has a number only on this axis, so that a range can be typed.
  const values = axis.ticks.map(([, text], i) => (Number.isNaN(Number(text)) ? `${i} = ${text}` : text)).join(", ");
  putKept(
    element,
    JSON.stringify([axis.name, ranges, logs, values]),
    h("h3", null, axis.title),
    h(
      "p",
      { class: "tools" },
      labelled("from", from),
      labelled("to", to),
      button("Add range", add),
      button("Clear", () => change([])),
      axis.canLog && check("logarithmic", axis.isLog, setLog),
    ),
    ranges.length > 0 && h("p", { class: "note" }, `ranges: ${told}`),
    !axis.isFigure && h("p", { class: "note" }, `values: ${values}`),
  );
}
