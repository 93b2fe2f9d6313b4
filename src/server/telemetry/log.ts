import { randomUUID } from 'node:crypto';
import { type DestinationStream, destination, pino } from 'pino';
import type { LogLevel } from '../../core/config.ts';
import { isServiceError, ServiceError } from '../../core/errors.ts';

/**
 * All that a log line may carry besides its event. Row values, tokens and literals of filters have no field here, so they cannot get in;
 * whoever adds one answers for that.
 */
export interface LogFields {
  readonly errorId?: string | undefined;
  /** An error code of ours. */
  readonly code?: string | undefined;
  readonly method?: string | undefined;
  readonly route?: string | undefined;
  readonly status?: number | undefined;
  readonly peer?: string | undefined;
  readonly principal?: string | undefined;
  readonly tokenId?: string | undefined;
  readonly team?: string | undefined;
  readonly workload?: string | undefined;
  readonly runId?: string | undefined;
  readonly plan?: string | undefined;
  readonly table?: string | undefined;
  readonly snapshotId?: string | undefined;
  readonly policyVersion?: string | undefined;
  readonly policies?: number | undefined;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly rows?: number | undefined;
  readonly bytes?: number | undefined;
  readonly files?: number | undefined;
  readonly calls?: number | undefined;
  readonly durationMs?: number | undefined;
  readonly graceMs?: number | undefined;
  readonly signal?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly dataDir?: string | undefined;
  readonly version?: string | undefined;
}

const fieldNames: ReadonlySet<string> = new Set<keyof LogFields>([
  'errorId',
  'code',
  'method',
  'route',
  'status',
  'peer',
  'principal',
  'tokenId',
  'team',
  'workload',
  'runId',
  'plan',
  'table',
  'snapshotId',
  'policyVersion',
  'policies',
  'file',
  'line',
  'rows',
  'bytes',
  'files',
  'calls',
  'durationMs',
  'graceMs',
  'signal',
  'host',
  'port',
  'dataDir',
  'version',
]);
const fieldCharsMax = 512;
const causesMax = 5;
const framesMax = 20;

type Write = (event: string, fields?: LogFields, cause?: unknown) => void;

export interface Log {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  /** Writes an audit record, which is made of names and counts by its type; whatever the level. */
  audit(record: object, event: string): void;
}

/** Logs JSON lines to standard error, or to `output`. `event` is a constant text: what varies goes into the fields. */
export function createLog(level: LogLevel, output: DestinationStream = destination({ fd: 2, sync: true })): Log {
  const lines = { base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'event' };
  const logger = pino({ ...lines, level }, output);
  // A level is about what operators care to read; what is on record is not theirs to choose by it.
  const auditing = pino({ ...lines, level: 'info' }, output);
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error'): Write =>
    (event, fields = {}, cause = undefined) => {
      if (!logger.isLevelEnabled(name)) return;
      logger[name](
        cause === undefined ? allowed(fields) : { ...allowed(fields), causes: describeCauses(cause) },
        event,
      );
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    audit: (record, event) => auditing.info(record, event),
  };
}

function allowed(fields: LogFields): Record<string, string | number> {
  const kept: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (!fieldNames.has(name)) continue;
    if (typeof value === 'number') kept[name] = value;
    else if (typeof value === 'string') kept[name] = value.slice(0, fieldCharsMax);
  }
  return kept;
}

/**
 * An error and its causes as classes, codes and stack frames. Messages stay out: those of libraries quote what they choke on, which may be
 * a row's value, a filter's literal or a token.
 */
function describeCauses(error: unknown): readonly object[] {
  const described: object[] = [];
  let current = error;
  while (current !== undefined && current !== null && described.length < causesMax) {
    if (!(current instanceof Error)) {
      described.push({ type: typeof current });
      break;
    }
    const { code, syscall } = current as { readonly code?: unknown; readonly syscall?: unknown };
    described.push({
      type: current.constructor.name,
      ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
      ...(typeof syscall === 'string' ? { syscall } : {}),
      frames: frames(current),
    });
    current = current.cause;
  }
  return described;
}

function frames(error: Error): readonly string[] {
  const stack = error.stack ?? '';
  const message = stack.indexOf(error.message);
  const withoutMessage = message < 0 ? '' : stack.slice(message + error.message.length);
  return withoutMessage
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, framesMax)
    .map((line) => line.trim());
}

/** Logs an unforeseen error under a random id and gives what its caller may know: INTERNAL and that id. */
export function internalError(log: Log, error: unknown, fields: LogFields = {}): ServiceError {
  const errorId = randomUUID();
  log.error('internal error', { ...fields, errorId, code: 'INTERNAL' }, error);
  return new ServiceError('INTERNAL', `internal error ${errorId}: the server's log tells more`, { cause: error });
}

/** Errors that another thread has logged, and that say no more than a caller may know. */
const published = new WeakSet<Error>();

/** Marks what {@link publicError} gave on another thread, so that it is not logged a second time under a second id. */
export function markPublished(error: ServiceError): ServiceError {
  published.add(error);
  return error;
}

/** What a caller may know of an error: a ServiceError as it is, with its cause logged; anything else by {@link internalError}. */
export function publicError(log: Log, error: unknown, fields: LogFields = {}): ServiceError {
  if (isServiceError(error) && published.has(error)) return error;
  if (!isServiceError(error) || error.code === 'INTERNAL') return internalError(log, error, fields);
  if (error.cause !== undefined) log.debug('call failed', { ...fields, code: error.code }, error.cause);
  return error;
}
