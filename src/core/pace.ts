/**
 * Lets a long computation on the main thread give way: whoever shares a pace stops together once `sliceMs` of a turn of the event
 * loop are used up, and goes on in the next turn, after streams and calls that wait have had theirs.
 */
export class Pace {
  readonly #sliceMs: number;
  #turnStart = Number.NEGATIVE_INFINITY;
  #nextTurn: Promise<void> | null = null;

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
  }

  /** To be asked after each piece of work; a piece should take far less than a slice. */
  get isDue(): boolean {
    return performance.now() - this.#turnStart >= this.#sliceMs;
  }

  /** Resolves in the next turn of the event loop. */
  giveWay(): Promise<void> {
    this.#nextTurn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#nextTurn = null;
        this.#turnStart = performance.now();
        resolve();
      });
    });
    return this.#nextTurn;
  }
}
