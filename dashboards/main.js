// Begins: opens the source of this page, and shows what it has.

import { Page } from "./page.js";
import { openSource } from "./source.js";

openSource().then(
  (source) => new Page(source).start(),
  (error) => {
    const banner = document.getElementById("banner");
    banner.textContent = error.message;
    banner.hidden = false;
  },
);
