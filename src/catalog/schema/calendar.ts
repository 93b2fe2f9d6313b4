/** The proleptic Gregorian calendar in days from 1970-01-01, exact for every 32-bit day, without `Date` and its range. */
export interface CivilDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
}

const daysPerEra = 146_097;
/** Days from 0000-03-01, where an era begins, to 1970-01-01. */
const epochDays = 719_468;

/** Years are counted from March, so that the leap day is a year's last. */
export function civilFromDays(days: number): CivilDate {
  const shifted = days + epochDays;
  const era = Math.floor(shifted / daysPerEra);
  const dayOfEra = shifted - era * daysPerEra;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  };
}

/** The inverse of {@link civilFromDays}; null for a day that no calendar has, such as February 30. */
export function daysFromCivil({ year, month, day }: CivilDate): number | null {
  if (month < 1 || month > 12 || day < 1 || day > 31) return null;
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  const days = era * daysPerEra + dayOfEra - epochDays;
  const back = civilFromDays(days);
  return back.month === month && back.day === day ? days : null;
}

/** Quotient rounded towards minus infinity; `divisor` is positive. */
export function floorDiv(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value < 0n && quotient * divisor !== value ? quotient - 1n : quotient;
}

/** Remainder that is never negative; `divisor` is positive. */
export const floorMod = (value: bigint, divisor: bigint): bigint => ((value % divisor) + divisor) % divisor;
