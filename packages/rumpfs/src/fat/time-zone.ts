import { FsError } from '../errors.ts';

const HOUR_MS = 3_600_000;
/** Offsets of this many hours are remembered; more, and they are looked up anew. */
const HOURS_MAX = 4096;

/** What local clocks show, and the reverse; all of it in milliseconds since 1970. */
export interface LocalClock {
  toLocal(utcMs: number): number;
  toUtc(localMs: number): number;
}

/**
 * A time zone: what local clocks show at a time, with the summer time of that date, and the
 * reverse. Zones change their offset at whole hours of UTC or half of them, so what holds for half
 * an hour is remembered.
 */
export class TimeZone implements LocalClock {
  readonly #format: Intl.DateTimeFormat | undefined;
  readonly #offsets = new Map<number, number>();

  /** @param name as the IANA names it, such as `Europe/Berlin`. Throws `InvalidArgument`. */
  constructor(name: string) {
    if (name === 'UTC') return;
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch {
      throw new FsError('InvalidArgument', `"${name}" is no time zone, such as "UTC" or "Europe/Berlin"`);
    }
  }

  /** The milliseconds since 1970 that a local clock without knowledge of zones would count. */
  toLocal(utcMs: number): number {
    return utcMs + this.#offset(utcMs);
  }

  /**
   * The reverse. A local time that a clock skips in spring counts as if it had not been changed
   * yet; of one that it shows twice in autumn, the first is meant.
   */
  toUtc(localMs: number): number {
    const early = localMs - this.#offset(localMs - 12 * HOUR_MS);
    if (this.toLocal(early) === localMs) return early;
    const late = localMs - this.#offset(localMs + 12 * HOUR_MS);
    return this.toLocal(late) === localMs ? late : early;
  }

  #offset(utcMs: number): number {
    if (this.#format === undefined) return 0;
    const slot = Math.floor(utcMs / (HOUR_MS / 2));
    const known = this.#offsets.get(slot);
    if (known !== undefined) return known;
    const startMs = slot * (HOUR_MS / 2);
    const fields: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(startMs)) fields[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
    const offset = Date.UTC(year, month - 1, day, hour, minute, second) - startMs;
    if (this.#offsets.size >= HOURS_MAX) this.#offsets.clear();
    this.#offsets.set(slot, offset);
    return offset;
  }
}
