// Following a study: asks what has changed, one question at a time, and less often when nothing runs.

const RUNNING_MS = 1000;
const IDLE_MS = 5000;
// How long after a change an idle study is still asked often.
const QUIET_AFTER = 5;

export class Follower {
  #source;
  #study = null;
  #told;
  #timer = null;
  #quiet = 0;
  // While paused: an answer with the cursor that it was asked with.
  #pending = null;
  #round = 0;
  #isAsking = false;
  isPaused = false;
  error = null;

  // `told` has `question()`, which part of the study is needed; `changed(answer, question)`; and `state()` for pause,
  // errors and what waits.
  constructor(source, told) {
    this.#source = source;
    this.#told = told;
    document.addEventListener("visibilitychange", () => !document.hidden && this.#soon(0));
  }

  // Follows this study from now on; null: none.
  follow(study) {
    this.#study = study;
    this.#round += 1;
    this.#quiet = 0;
    this.#pending = null;
    this.isPaused = false;
    this.error = null;
    this.#soon(RUNNING_MS);
  }

  // How many trials are new or changed since the pause began.
  get waiting() {
    return this.#pending?.answer.rows?.number.length ?? 0;
  }

  pause() {
    this.isPaused = true;
    this.#told.state();
  }

  resume() {
    this.isPaused = false;
    const held = this.#pending;
    this.#pending = null;
    // What was asked for anew in the meantime is newer.
    if (held && held.cursor === this.#study?.cursor) this.#told.changed(held.answer, held.question);
    this.#told.state();
  }

  // Never a second question before the first is answered; its end asks for the next.
  #soon(wait) {
    clearTimeout(this.#timer);
    if (this.#isAsking) return;
    if (this.#source.isLive && this.#study && !document.hidden)
      this.#timer = setTimeout(() => this.#ask(this.#round), wait);
  }

  // While paused the question stays the same, so that the answer is all that has changed since the pause began.
  async #ask(round) {
    const [study, cursor, before] = [this.#study, this.#study.cursor, this.error];
    const question = this.#told.question();
    let answer = null;
    this.#isAsking = true;
    try {
      answer = await this.#source.points(study.info.id, { ...question, after: cursor });
      if (round === this.#round) this.error = null;
    } catch (error) {
      if (round === this.#round) this.error = error;
    }
    this.#isAsking = false;
    // Another study, or the same one read anew in the meantime: this answer is of the past.
    if (round !== this.#round || cursor !== study.cursor) {
      this.#soon(RUNNING_MS);
      return;
    }
    this.#quiet = answer ? 0 : this.#quiet + 1;
    if (answer && this.isPaused) this.#pending = { answer, question, cursor };
    else if (answer) this.#told.changed(answer, question);
    if (answer || before?.message !== this.error?.message) this.#told.state();
    const isIdle = this.#quiet > QUIET_AFTER && (this.error !== null || study.info.status !== "running");
    this.#soon(isIdle ? IDLE_MS : RUNNING_MS);
  }
}
