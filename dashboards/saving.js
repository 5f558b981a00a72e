// What leaves the page for the reader's own machine: a text in the clipboard, a file among the downloads.

import { h } from "./dom.js";

const KEPT_MS = 10000;

// Copies a text; without a secure context there is no clipboard, and the old way is gone.
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.body.appendChild(h("textarea", { class: "unseen", "aria-hidden": "true" }));
    area.value = text;
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

// Saves a blob under a name.
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
