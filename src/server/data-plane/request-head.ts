import { ServiceError } from '../../core/errors.ts';
import { type BulkMethod, methodOf } from '../streams/wire/bulk-handlers.ts';
import type { CallHeaders } from '../streams/wire/call-headers.ts';

/** The head of a request that is a call: what it calls and until when. */
export interface RequestHead {
  readonly method: BulkMethod;
  readonly headers: CallHeaders;
  /** Milliseconds that the caller waits for the whole call; null = for ever. */
  readonly timeoutMs: number | null;
}

/** What a request's head comes to: a call, a call to refuse with a gRPC status, or something that is no gRPC. */
export type ReadHead =
  | { readonly kind: 'call'; readonly head: RequestHead }
  | { readonly kind: 'refused'; readonly error: ServiceError }
  | { readonly kind: 'not-grpc'; readonly httpStatus: 405 | 415 };

const bulkMethods: ReadonlySet<string> = new Set<BulkMethod>(['DoGet', 'DoPut', 'DoExchange']);
const grpcType = /^application\/grpc(?:[+;].*)?$/i;
const nameCharsMax = 100;
/** Bytes that the headers of a request may have, each counted as RFC 9113 §6.5.2 does: a token, a cursor, and room for more. */
export const headerListBytesMax = 64 << 10;
const headerBytes = 32;

/**
 * Reads a request's head as gRPC over HTTP/2 has it ("Requests"). `raw` holds names and values in turn, as they came. `controlPort` is
 * where the other calls of the service are.
 */
export function readHead(raw: readonly string[], controlPort: number): ReadHead {
  const headers = headersOf(raw);
  const first = (name: string): string | undefined => headers.get(name)[0]?.toString();
  if (first(':method') !== 'POST') return { kind: 'not-grpc', httpStatus: 405 };
  if (!grpcType.test(first('content-type') ?? '')) return { kind: 'not-grpc', httpStatus: 415 };
  try {
    checkSize(raw);
    const method = readMethod(first(':path') ?? '', controlPort);
    if (first('te')?.toLowerCase() !== 'trailers') {
      throw new ServiceError(
        'INVALID_REQUEST',
        'the call lacks the header te: trailers: something on the way dropped it',
      );
    }
    readEncoding(first('grpc-encoding'));
    return { kind: 'call', head: { method, headers, timeoutMs: readTimeout(first('grpc-timeout')) } };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { kind: 'refused', error };
  }
}

/** Values by name; those of `-bin` headers decoded, several of which may share one line. */
function headersOf(raw: readonly string[]): CallHeaders {
  const values = new Map<string, string[]>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!;
    const known = values.get(name);
    if (known === undefined) values.set(name, [raw[at + 1]!]);
    else known.push(raw[at + 1]!);
  }
  return {
    get(name) {
      const texts = values.get(name) ?? [];
      if (!name.endsWith('-bin')) return texts;
      return texts.flatMap((text) => text.split(',').map((part) => Buffer.from(part.trim(), 'base64')));
    },
  };
}

/** Node enforces the same, but only once the client has confirmed that it knows the limit. */
function checkSize(raw: readonly string[]): void {
  const bytes = raw.reduce((sum, text) => sum + text.length, 0) + (raw.length / 2) * headerBytes;
  if (bytes <= headerListBytesMax) return;
  throw new ServiceError('LIMIT_EXCEEDED', `the headers have ${bytes} bytes, the limit is ${headerListBytesMax}`);
}

function readMethod(path: string, controlPort: number): BulkMethod {
  const method = methodOf(path);
  if (method !== null && bulkMethods.has(method)) return method as BulkMethod;
  const what = method ?? `${path.slice(0, nameCharsMax)} is no call of Flight, whose service`;
  const where = `is served on the control port, ${controlPort}; this port carries DoGet, DoPut and DoExchange only`;
  throw new ServiceError('UNSUPPORTED_FEATURE', `${what} ${where}`);
}

function readEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding === 'identity') return;
  throw new ServiceError(
    'UNSUPPORTED_FEATURE',
    'messages of the data port are not compressed by gRPC: compress the Arrow buffers instead, or call the control port',
  );
}

const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

function readTimeout(text: string | undefined): number | null {
  if (text === undefined) return null;
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) {
    throw new ServiceError(
      'INVALID_REQUEST',
      'grpc-timeout must be at most eight digits and one of the units H M S m u n',
    );
  }
  return Number(digits) * unitsMs[unit]!;
}
