import { ServiceError } from '../../core/errors.ts';
import type { Limits } from '../../core/limits.ts';

/** Counts the calls that upload, over all and for each principal: each may hold one incoming message of the largest size. */
export class UploadSlots {
  readonly #limits: Pick<Limits, 'putsMax' | 'putsPerPrincipalMax'>;
  readonly #byPrincipal = new Map<string, number>();
  #open = 0;

  constructor(limits: Pick<Limits, 'putsMax' | 'putsPerPrincipalMax'>) {
    this.#limits = limits;
  }

  /** Takes a place until it is disposed of. Throws LIMIT_EXCEEDED where none is left, or none for this principal. */
  open(principal: string): Disposable {
    const { putsMax, putsPerPrincipalMax } = this.#limits;
    const own = this.#byPrincipal.get(principal) ?? 0;
    if (own >= putsPerPrincipalMax)
      throw full(`${own} uploads of ${principal} are running (limits.putsPerPrincipalMax)`);
    if (this.#open >= putsMax) throw full(`${this.#open} uploads are running (limits.putsMax)`);
    this.#open++;
    this.#byPrincipal.set(principal, own + 1);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#close(principal);
        held = false;
      },
    };
  }

  #close(principal: string): void {
    this.#open--;
    const left = this.#byPrincipal.get(principal)! - 1;
    if (left === 0) this.#byPrincipal.delete(principal);
    else this.#byPrincipal.set(principal, left);
  }
}

const full = (what: string): ServiceError => new ServiceError('LIMIT_EXCEEDED', `${what}: try again later`);
