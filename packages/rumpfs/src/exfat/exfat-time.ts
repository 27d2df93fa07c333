/**
 * Times of exFAT: those of FAT, with hundredths of a second up to two seconds for most of them, and
 * the offset of the local clock from UTC in quarters of an hour, in seven bits. The eighth says
 * whether that is known; where it is not, the local time is that of the zone of the mount.
 */
import { fromDosTime, toDosTime } from '../fat/dos-time.ts';
import type { LocalClock } from '../fat/time-zone.ts';

const OFFSET_KNOWN = 0x80;
const QUARTER_MS = 900_000;

/** A time as an entry stores it. */
export interface ExfatTime {
  /** The date in the upper half, the time in the lower one. */
  readonly stamp: number;
  readonly hundredths: number;
  readonly offset: number;
}

/** The nearest time that can be stored, at most ten milliseconds before `ms`. */
export function toExfatTime(ms: number, zone: LocalClock): ExfatTime {
  const quarters = Math.round((zone.toLocal(ms) - ms) / QUARTER_MS);
  const { date, time, hundredths } = toDosTime(ms, fixed(quarters));
  return { stamp: date * 0x1_0000 + time, hundredths, offset: OFFSET_KNOWN | (quarters & 0x7f) };
}

/** Milliseconds since 1970. */
export function fromExfatTime({ stamp, hundredths, offset }: ExfatTime, zone: LocalClock): number {
  const known = (offset & OFFSET_KNOWN) !== 0;
  return fromDosTime(
    { date: stamp >>> 16, time: stamp & 0xffff, hundredths },
    known ? fixed(((offset & 0x7f) << 25) >> 25) : zone,
  );
}

/** A clock with a fixed offset. */
function fixed(quarters: number): LocalClock {
  return {
    toLocal: (utcMs) => utcMs + quarters * QUARTER_MS,
    toUtc: (localMs) => localMs - quarters * QUARTER_MS,
  };
}
