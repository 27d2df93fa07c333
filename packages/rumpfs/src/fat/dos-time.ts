/**
 * Times of FAT: a date of 7 bits for the years since 1980, 4 for the month and 5 for the day, and a
 * time of 5 bits for hours, 6 for minutes and 5 for pairs of seconds. A creation time also has a
 * byte that counts hundredths of a second up to two seconds. All of it is what local clocks showed.
 */
import type { LocalClock } from './time-zone.ts';

const YEAR_MIN = 1980;
const YEAR_MAX = 2107;
const EARLIEST_MS = Date.UTC(YEAR_MIN, 0, 1);
const LATEST_MS = Date.UTC(YEAR_MAX, 11, 31, 23, 59, 58);

/** A time as an entry stores it. */
export interface DosTime {
  readonly date: number;
  readonly time: number;
  readonly hundredths: number;
}

/** The nearest time that can be stored, at most two seconds before `ms`. */
export function toDosTime(ms: number, zone: LocalClock): DosTime {
  const local = Math.min(Math.max(zone.toLocal(ms), EARLIEST_MS), LATEST_MS);
  const at = new Date(local);
  return {
    date: ((at.getUTCFullYear() - YEAR_MIN) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
    hundredths: (at.getUTCSeconds() % 2) * 100 + Math.floor(at.getUTCMilliseconds() / 10),
  };
}

/** Milliseconds since 1970. A date that there is not, such as day 0, counts as the nearest. */
export function fromDosTime({ date, time, hundredths }: DosTime, zone: LocalClock): number {
  const month = Math.min(Math.max((date >> 5) & 15, 1), 12);
  const day = Math.max(date & 31, 1);
  const local = Date.UTC(
    YEAR_MIN + (date >> 9),
    month - 1,
    day,
    Math.min(time >> 11, 23),
    Math.min((time >> 5) & 63, 59),
    Math.min((time & 31) * 2, 58),
  );
  return zone.toUtc(local) + Math.min(hundredths, 199) * 10;
}
