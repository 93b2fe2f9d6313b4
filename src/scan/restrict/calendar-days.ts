/** Calendar arithmetic on days since 1970-01-01 (proleptic Gregorian), on numbers alone: no object per date. */

const daysPerEra = 146_097;

/** Months since 1970-01, negative before. Years are counted from March on the way, so that leap days fall on a year's end. */
export function monthsSinceEpoch(days: number): number {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / daysPerEra);
  const dayOfEra = shifted - era * daysPerEra;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const month = Math.floor((5 * dayOfYear + 2) / 153);
  return (yearOfEra + era * 400 - 1970) * 12 + month + 2;
}

/** Years since 1970, negative before. */
export const yearsSinceEpoch = (days: number): number => Math.floor(monthsSinceEpoch(days) / 12);

/** The first day of a month that is counted from 1970-01. */
export function firstDayOfMonth(months: number): number {
  const shifted = months + 1970 * 12 - 2;
  const year = Math.floor(shifted / 12);
  const month = shifted - year * 12;
  const era = Math.floor(year / 400);
  const yearOfEra = year - era * 400;
  const dayOfYear = Math.floor((153 * month + 2) / 5);
  const dayOfEra = 365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * daysPerEra + dayOfEra - 719_468;
}
