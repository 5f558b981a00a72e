// The controls above the parallel coordinates.

import { button, check, h, labelled, putKept } from "./dom.js";

// Draws them for the state; `clear` takes all ranges away.
export function drawParallelTools(element, state, clear) {
  const top = h("input", {
    type: "number",
    min: "1",
    max: "100",
    class: "small",
    value: String(state.get("top")),
    onchange: (event) =>
      state.set({ top: Math.min(100, Math.max(1, Math.round(Number(event.target.value) || 100))) }),
  });
  const hasRanges = state.get("range").length > 0;
  putKept(
    element,
    JSON.stringify([state.get("top"), state.get("constant"), hasRanges]),
    labelled("best %", top, { title: "the front always, then by the first objective" }),
    check("axes that never vary", state.get("constant"), (isOn) => state.set({ constant: isOn })),
    hasRanges && button("Clear all ranges", clear),
  );
}
