import { ServiceError } from '../core/errors.ts';

const controller = new AbortController();
let listening = false;

/** Fires at the first Ctrl-C or SIGTERM, so that work in progress is undone; the second ends the process at once. */
export function interruptSignal(): AbortSignal {
  if (!listening) {
    listening = true;
    const interrupt = (): void => controller.abort(new ServiceError('CANCELLED', 'the command was interrupted'));
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
  }
  return controller.signal;
}
