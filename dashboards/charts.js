// Plotly on this page: loaded once, without a modebar of its own, drawn when a view is looked at.

import { palette } from "./theme.js";

let loading = null;

// The library, read when the first chart is drawn or the page has nothing else to do: it keeps the page busy for a second
// or two, and tables need none. An exported page has it inside and says how it is unpacked.
export function plotly() {
  loading ??= painted().then(globalThis.unpackPlotly ?? fetched).then(() => {
    if (window.Plotly) return window.Plotly;
    throw new Error("plotly.js did not load; the table shows the same trials; reload the page");
  });
  return loading;
}

// So that the first chart need not wait; whoever draws one is told what goes wrong.
export function prepareCharts() {
  requestIdleCallback(() => plotly().catch(() => {}));
}

// Resolves when what has been drawn so far is on the screen, or would be if the page were looked at.
function painted() {
  return new Promise((done) => {
    if (document.hidden) setTimeout(done, 0);
    else requestAnimationFrame(() => setTimeout(done, 0));
  });
}

function fetched() {
  return new Promise((done) => {
    const script = document.createElement("script");
    script.src = "static/plotly.min.js";
    for (const event of ["load", "error"]) script.addEventListener(event, done, { once: true });
    document.head.append(script);
  });
}

// Draws or updates a chart; zoom stays while `layout.uirevision` does.
export async function drawChart(element, traces, layout) {
  const library = await plotly();
  await library.react(
    element,
    traces,
    { ...base(), ...layout, xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis) },
    CONFIG,
  );
  return library;
}

// An image of a drawn chart as a blob.
export async function chartImage(element, format) {
  const library = await plotly();
  const { width, height } = element.getBoundingClientRect();
  const url = await library.toImage(element, { format, width, height, scale: format === "png" ? 2 : 1 });
  const [head, body] = [url.slice(0, url.indexOf(",")), url.slice(url.indexOf(",") + 1)];
  const bytes = head.endsWith(";base64")
    ? Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0))
    : decodeURIComponent(body);
  return new Blob([bytes], { type: head.slice(5).split(/[;,]/)[0] });
}

// The title of an axis with an arrow to its better end. Plotly reads some HTML in texts: what is named is escaped, and
// nothing is slanted, because Plotly would do that through a style attribute, which a strict policy refuses.
export function axisTitle(figure, title = figure.title) {
  // Upright titles are turned with their arrows.
  return { text: `${escaped(title)}   ${figure.maximise ? "better →" : "← better"}`, standoff: 8 };
}

export function escaped(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: "reset", showTips: false, scrollZoom: false };

function base() {
  const colours = palette();
  return {
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: colours.ink },
    margin: { l: 62, r: 14, t: 12, b: 48 },
    hovermode: "closest",
    showlegend: false,
  };
}

function axis(given = {}) {
  const colours = palette();
  return {
    gridcolor: colours.line,
    linecolor: colours.faint,
    zeroline: false,
    automargin: true,
    exponentformat: "e",
    ...given,
  };
}
