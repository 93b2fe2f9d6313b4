import { ServiceError } from '../../core/errors.ts';

const pattern = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;

/**
 * Reads an RFC 3339 date-time, whose zone is mandatory, as microseconds since the epoch; finer digits are cut off towards the past.
 * Throws INVALID_REQUEST for anything else, a day that the calendar lacks and a leap second included.
 */
export function parseTimestamp(text: string): bigint {
  const match = pattern.exec(text);
  if (match === null) throw notATimestamp(text);
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const wanted = [year, month - 1, day, hour, minute, second];
  const got = [
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
  if (wanted.some((part, index) => part !== got[index])) throw notATimestamp(text);
  const micros = BigInt((match[7] ?? '').padEnd(6, '0').slice(0, 6));
  return BigInt(date.getTime() - zoneMinutes(match[8]!, text) * 60_000) * 1000n + micros;
}

function zoneMinutes(zone: string, text: string): number {
  if (zone.toUpperCase() === 'Z') return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4, 6))];
  if (hours > 23 || minutes > 59) throw notATimestamp(text);
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes);
}

function notATimestamp(text: string): ServiceError {
  return new ServiceError(
    'INVALID_REQUEST',
    `${JSON.stringify(text.slice(0, 64))} is not an RFC 3339 timestamp with a zone, such as 2024-05-01T12:00:00Z`,
  );
}
