import { ServiceError } from '../core/errors.ts';

/** Where an object lies: `scheme://authority/path`, the path kept as it was written. */
export interface Location {
  /** Lower case; `s3a` and `s3n` read as `s3`, `abfs` as `abfss`, a bare absolute path as `file`. */
  readonly scheme: string;
  /** The bucket or host; empty for files. */
  readonly authority: string;
  /** Between slashes. Never `.` or `..`; empty segments only where the scheme tells `a//b` from `a/b`. */
  readonly segments: readonly string[];
}

const locationCharsMax = 4096;
const sameSchemes: Readonly<Record<string, string>> = { s3a: 's3', s3n: 's3', abfs: 'abfss' };

/**
 * Reads a location as Iceberg's engines do: the path is literal, so `%20` is those three characters and not a space (Hadoop's
 * and PyIceberg's file access do not decode either). Throws INVALID_REQUEST for a relative one, for NUL and for `.` or `..` in
 * the path, percent-encoded or not, because two spellings of one object would defeat {@link isWithin}.
 */
export function parseLocation(text: string): Location {
  if (text.length > locationCharsMax) throw badLocation(`is longer than ${locationCharsMax} characters`, text);
  if (text.includes('\0')) throw badLocation('holds a NUL character', text);
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):(?:\/\/([^/]*))?(.*)$/s.exec(text);
  if (match === null && !text.startsWith('/')) throw badLocation('is not absolute: write scheme://…', text);
  const written = match?.[1]?.toLowerCase() ?? 'file';
  const scheme = sameSchemes[written] ?? written;
  const path = match === null ? text : match[3]!;
  if (path !== '' && !path.startsWith('/')) throw badLocation('is not absolute: write scheme://…', text);
  const authority = authorityOf(scheme, match?.[2] ?? '', text);
  const parts = path.split('/').slice(1);
  const segments = scheme === 'file' ? parts.filter((part) => part !== '') : parts;
  for (const segment of segments) {
    if (isDots(segment) || isDots(decoded(segment))) throw badLocation('has a "." or ".." in its path', text);
  }
  return { scheme, authority, segments };
}

function authorityOf(scheme: string, authority: string, text: string): string {
  if (scheme === 'file') {
    if (authority !== '' && authority !== 'localhost') throw badLocation('names another host: write file:///…', text);
    return '';
  }
  if (authority === '') throw badLocation(`names no bucket: write ${scheme}://bucket/…`, text);
  return authority;
}

/** The location of a folder or object below another: `joinLocation(table, 'metadata', name)`. Parts are literal, not encoded. */
export function joinLocation(prefix: string, ...parts: readonly string[]): string {
  const joined = [prefix.replace(/\/+$/, ''), ...parts].join('/');
  parseLocation(joined);
  return joined;
}

/** Whether a location is the prefix itself or lies below it, folder by folder. False where either cannot be read. */
export function isWithin(prefix: string, location: string): boolean {
  try {
    const [outer, inner] = [parseLocation(prefix), parseLocation(location)];
    const folder = outer.segments.at(-1) === '' ? outer.segments.slice(0, -1) : outer.segments;
    return (
      outer.scheme === inner.scheme &&
      outer.authority === inner.authority &&
      folder.length <= inner.segments.length &&
      folder.every((segment, at) => segment === inner.segments[at])
    );
  } catch {
    return false;
  }
}

/**
 * One spelling for every location of the same folder, with a slash at its end: a folder lies in another where its key begins with the
 * other's. Throws INVALID_REQUEST as {@link parseLocation} does.
 */
export function folderKey(location: string): string {
  const { scheme, authority, segments } = parseLocation(location);
  const folder = segments.filter((segment, at) => segment !== '' || at < segments.length - 1);
  return `${[`${scheme}://${authority}`, ...folder].join('/')}/`;
}

/** The local path that a `file:` location names, not decoded. Throws UNSUPPORTED_FEATURE for another scheme. */
export function localPath(location: string): string {
  const { scheme, segments } = parseLocation(location);
  if (scheme !== 'file') throw unsupportedScheme(scheme);
  return `/${segments.join('/')}`;
}

/** The `file:` location of an absolute local path. */
export function fileLocation(path: string): string {
  const location = `file://${path}`;
  if (!path.startsWith('/')) throw badLocation('is not an absolute path', path);
  parseLocation(location);
  return location;
}

export const unsupportedScheme = (scheme: string): ServiceError =>
  new ServiceError('UNSUPPORTED_FEATURE', `locations that begin with ${scheme}: are not supported: use file:///…`);

const isDots = (segment: string): boolean => segment === '.' || segment === '..';

/** A segment with its percent escapes resolved; itself where they are malformed. */
export function decoded(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function badLocation(problem: string, text: string): ServiceError {
  return new ServiceError('INVALID_REQUEST', `a location ${problem}`, { cause: text.slice(0, locationCharsMax) });
}
