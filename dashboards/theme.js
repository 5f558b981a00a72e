// Light and dark: colours stand in style.css, and what is drawn on a canvas or by Plotly reads them from there.

const NAMES = ["ink", "quiet", "faint", "line", "page", "panel", "front", "cloud", "stopped", "measured", "published"];
const MORE = ["picked", "fresh", "good", "bad", "warn", "op1", "op2", "op3", "op4", "op5", "op6", "op7", "op8"];
const KEY = "bench-theme";
const PREFERENCE = matchMedia("(prefers-color-scheme: dark)");

let colours = null;

// The colours now, by name, as `rgb(...)`: neither a canvas nor Plotly reads `light-dark()`.
export function palette() {
  if (!colours) {
    const probe = document.body.appendChild(document.createElement("span"));
    const found = [...NAMES, ...MORE].map((name) => {
      probe.style.color = `var(--${name})`;
      return [name, getComputedStyle(probe).color];
    });
    probe.remove();
    colours = Object.fromEntries(found);
  }
  return colours;
}

// Takes up what was chosen last, and tells when the colours change.
export function startTheme(onchange) {
  apply(remembered());
  const changed = () => {
    colours = null;
    onchange();
  };
  PREFERENCE.addEventListener("change", changed);
  return {
    get name() {
      return document.documentElement.dataset.theme;
    },
    next() {
      const order = ["auto", "light", "dark"];
      const name = order[(order.indexOf(document.documentElement.dataset.theme) + 1) % order.length];
      apply(name);
      remember(name);
      changed();
      return name;
    },
  };
}

function apply(name) {
  document.documentElement.dataset.theme = name;
}

// A browser may keep nothing for a page that was opened from a file.
function remembered() {
  try {
    return localStorage.getItem(KEY) ?? "auto";
  } catch {
    return "auto";
  }
}

function remember(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // It holds until the page is closed.
  }
}
