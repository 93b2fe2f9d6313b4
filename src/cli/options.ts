import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../server/config-values.ts';

/** What every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
}

export const withJson = (command: Command): Command => command.option('--json', 'print the result as JSON');

/** `name=value`, for options that may come several times. */
export function collectPairs(
  text: string,
  previous: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Write NAME=VALUE.');
  return new Map(previous).set(text.slice(0, at), text.slice(at + 1));
}

export const collect = (text: string, previous: readonly string[] = []): readonly string[] => [...previous, text];

/** `a,b, c`; nothing at all is no name. */
export function parseList(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === '') && text.trim() !== '')
    throw new InvalidArgumentError('Write names with commas between them.');
  return text.trim() === '' ? [] : [...new Set(names)];
}

/** Claims of a token: `NAME=JSON`. */
export function collectClaims(
  text: string,
  previous: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError(`Write NAME=JSON, such as clearance=3 or region='"EU"'.`);
  const name = text.slice(0, at);
  try {
    return { ...previous, [name]: JSON.parse(text.slice(at + 1)) as unknown };
  } catch {
    throw new InvalidArgumentError(
      `The value of ${name} is not JSON: text needs quotes of its own, such as ${name}='"EU"'.`,
    );
  }
}

/** `90s`, `1h`, `7d` as whole seconds. */
export function parseTtl(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === null || milliseconds < 1_000)
    throw new InvalidArgumentError('Write a duration such as 90s, 1h or 7d.');
  return Math.floor(milliseconds / 1_000);
}

export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_535) throw new InvalidArgumentError('Write a port from 0 (any free one) to 65535.');
  return port;
}

const int64Max = 2n ** 63n - 1n;

export function parseSnapshotId(text: string): bigint {
  if (!/^-?\d{1,19}$/.test(text)) throw new InvalidArgumentError('Write a snapshot id in decimal digits.');
  const id = BigInt(text);
  if (id > int64Max) throw new InvalidArgumentError('A snapshot id has at most 63 bits.');
  return id;
}
