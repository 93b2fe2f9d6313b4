import type { Log } from './telemetry/log.ts';

/** Something to be stopped when the server shuts down, in the order in which the parts are given. */
export interface Part {
  readonly name: string;
  /** Stops taking work at once and resolves when the work is done or `graceMs` have passed. */
  stop(graceMs: number): Promise<void>;
}

export interface Lifecycle {
  /** True from the first signal on. */
  isDraining(): boolean;
  /** Resolves with the signal's name once everything has stopped. */
  readonly stopped: Promise<string>;
  /** Shuts down as a signal would; a second call changes nothing. */
  stop(reason: string): void;
  /** Called for SIGHUP. */
  onReload(listener: () => void): void;
}

/** The part of `process` that signals come from. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  removeListener(signal: NodeJS.Signals, listener: () => void): unknown;
}

/**
 * Turns SIGTERM and SIGINT into a graceful end. Parts that share a stage stop together, stages one after another: listeners before the stores
 * that their calls use. A second signal while draining ends the grace: `impatient` is then called once.
 */
export function startLifecycle(
  stages: readonly (readonly Part[])[],
  options: {
    readonly graceMs: number;
    readonly log: Log;
    readonly impatient: () => void;
    readonly signals?: SignalSource;
  },
): Lifecycle {
  const { graceMs, log, impatient, signals = process } = options;
  const { promise: stopped, resolve } = Promise.withResolvers<string>();
  const reloaders: (() => void)[] = [];
  let draining = false;
  let hurried = false;
  const stop = (reason: string): void => {
    if (draining) return;
    draining = true;
    log.info('draining', { signal: reason, graceMs });
    void stopStages(stages, graceMs, log).then(() => {
      for (const [name, listener] of listeners) signals.removeListener(name, listener);
      log.info('stopped', { signal: reason });
      resolve(reason);
    });
  };
  const onSignal = (name: NodeJS.Signals) => (): void => {
    if (draining && !hurried) {
      hurried = true;
      impatient();
    } else stop(name);
  };
  const listeners: readonly (readonly [NodeJS.Signals, () => void])[] = [
    ['SIGTERM', onSignal('SIGTERM')],
    ['SIGINT', onSignal('SIGINT')],
    [
      'SIGHUP',
      () => {
        for (const reload of reloaders) reload();
      },
    ],
  ];
  for (const [name, listener] of listeners) signals.on(name, listener);
  return { isDraining: () => draining, stopped, stop, onReload: (listener) => reloaders.push(listener) };
}

async function stopStages(stages: readonly (readonly Part[])[], graceMs: number, log: Log): Promise<void> {
  for (const stage of stages) {
    const results = await Promise.allSettled(stage.map((part) => part.stop(graceMs)));
    for (const result of results) {
      if (result.status === 'rejected') log.error('a part did not stop cleanly', {}, result.reason);
    }
  }
}

export interface ReadyPorts {
  readonly flight: number;
  readonly data: number;
  readonly http: number;
}

/** The one line on standard output that says that the server accepts calls. */
export const readyLine = ({ flight, data, http }: ReadyPorts): string =>
  `${JSON.stringify({ ready: true, flight, data, http })}\n`;
