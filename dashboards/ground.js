// What a canvas shows beneath that which moves over it: kept as a picture, because drawing it anew takes long.

import { sharp } from "./sketch.js";

export class Ground {
  #picture = document.createElement("canvas");

  // Keeps what the canvas shows.
  keep(canvas) {
    [this.#picture.width, this.#picture.height] = [canvas.width, canvas.height];
    if (canvas.width && canvas.height) this.#picture.getContext("2d").drawImage(canvas, 0, 0);
  }

  // Shows that again, and nothing else; gives the context to draw over it.
  show(canvas) {
    const context = sharp(canvas);
    // One without room, of a view that is hidden, cannot be drawn.
    if (this.#picture.width && this.#picture.height)
      context.drawImage(this.#picture, 0, 0, canvas.clientWidth, canvas.clientHeight);
    return context;
  }
}
