/**
 * What one block of a device may hold. A write is a version from the moment its client submits it; it replaces those that
 * had ended before it began as soon as its own end is known, be it that it is acknowledged or that somebody has read it.
 * A read may return every version that was not replaced when the read began: with requests side by side there are
 * several. So the block behaves like a register whose operations take effect one after the other, each between its
 * beginning and its end.
 *
 * When a server ends, versions may come back that were replaced: all but those that a SYNC has buried, because a version
 * that followed them was acknowledged before the SYNC was submitted.
 *
 * Times are numbers of events, in the order in which they happened; no two are the same.
 */
import { ANYTHING, UNKNOWN } from './content-hash.ts';

/** Versions of one block that are told apart; of more, the oldest become one that may be anything. */
const VERSIONS_MAX = 12;
/** Versions that are gone for good, remembered for people. */
const PAST_MAX = 2;
const NEVER = Number.POSITIVE_INFINITY;

/** What one write made of a block, or what was there before the first. */
export interface Version {
  content: number;
  begun: number;
  /** `NEVER` while it is under way. */
  ended: number;
  /** Whether it has certainly been carried out. */
  sure: boolean;
  /** Reads that begin later do not see it any more. */
  replacedAt: number;
  /** It cannot come back when its server ends. */
  buried: boolean;
  /** Those that were possible after one end of the server: one of them is what the block holds. */
  settling: number;
  /** For people: who wrote it, and when. */
  readonly by: string;
  readonly atUs: number;
}

/** A version that has begun. */
export function newVersion(content: number, begun: number, by: string, atUs: number): Version {
  return {
    content,
    begun,
    ended: NEVER,
    sure: false,
    replacedAt: NEVER,
    buried: false,
    settling: 0,
    by,
    atUs,
  };
}

/** What was in a block before anybody wrote to it. */
export function firstVersion(content: number): Version {
  const version = newVersion(content, 0, '', 0);
  version.ended = 0;
  version.sure = true;
  return version;
}

/** Anything may be there, until it is overwritten; for ever if a write that is told of no more may still change it. */
export function anything(now: number, underWay: boolean): Version {
  return { ...firstVersion(ANYTHING), begun: now, ended: underWay ? NEVER : now };
}

/** One block that somebody has written to. */
export class BlockHistory {
  #versions: Version[];
  #past: readonly Version[] = [];

  constructor(first: Version) {
    this.#versions = [first];
  }

  get versions(): readonly Version[] {
    return this.#versions;
  }

  /** The last of those that cannot be any more. */
  get past(): readonly Version[] {
    return this.#past;
  }

  /** Whether only one content is possible, now and after the end of the server. */
  get settled(): boolean {
    return this.#versions.length === 1 && this.#versions[0]?.ended !== NEVER;
  }

  /** Whether a write is under way, for all that is known. */
  get underWay(): boolean {
    return this.#versions.some(({ ended }) => ended === NEVER);
  }

  /** A write has been submitted. */
  begin(version: Version): void {
    this.#versions.push(version);
    if (this.#versions.length > VERSIONS_MAX) this.#merge();
  }

  /** A write has ended; `sure` if it was acknowledged as done. Nothing happens to one that is told of no more. */
  end(version: Version, sure: boolean, now: number): void {
    if (version.ended !== NEVER || !this.#versions.includes(version)) return;
    version.ended = now;
    version.sure = sure;
    if (sure) this.#replaceBefore(version, now);
  }

  /** A read that began at `begun` has returned `content`. False if it must not. */
  read(content: number, begun: number, now: number): boolean {
    const visible = this.#versions.filter(({ replacedAt }) => replacedAt > begun);
    if (visible.some((version) => version.content === ANYTHING)) return true;
    const found = visible.filter((version) => version.content === content);
    const unknown = visible.find((version) => version.content === UNKNOWN);
    if (found.length === 0) {
      if (!unknown) return false;
      unknown.content = content;
      this.#observed(unknown, begun, now);
      return true;
    }
    // What is unknown may be the same by chance.
    const [only, other] = found;
    if (only && !other && !unknown) this.#observed(only, begun, now);
    return true;
  }

  /** A SYNC that was submitted at `begun` is acknowledged. */
  synced(begun: number): void {
    for (const version of this.#versions) {
      if (!version.sure || version.ended >= begun) continue;
      for (const earlier of this.#versions) if (earlier.ended < version.begun) earlier.buried = true;
    }
  }

  /**
   * The server has ended, or what it stands on. `direct`: what was under way will not be carried out any more, and of all
   * versions that are possible the block holds one. `mixed`: or parts of several. Versions that are buried stay for reads
   * under way: these may have been done before.
   */
  serverEnded(now: number, direct: boolean, mixed: boolean): void {
    const possible = this.#versions.filter(({ buried }) => !buried);
    const [only, other] = possible;
    if (mixed && other) {
      this.#versions = [anything(now, !direct && this.underWay)];
      return;
    }
    for (const version of possible) {
      version.replacedAt = NEVER;
      if (version.ended === NEVER && !direct) continue;
      version.begun = now;
      version.ended = now;
      version.settling = direct && only !== undefined && other !== undefined ? now : 0;
    }
  }

  /**
   * Drops what can be read no more, by reads that began at `oldestRead` or later, nor after an end of the server, which
   * matters if the device is `stable`.
   */
  compact(oldestRead: number, stable: boolean): void {
    this.#keep(({ replacedAt, buried }) => replacedAt > oldestRead || (stable && !buried));
  }

  #keep(stays: (version: Version) => boolean): void {
    const kept = this.#versions.filter(stays);
    if (kept.length === this.#versions.length) return;
    const gone = this.#versions.filter((version) => !stays(version));
    this.#past = [...this.#past, ...gone].slice(-PAST_MAX);
    this.#versions = kept;
  }

  /** Somebody has read this version and no other. */
  #observed(version: Version, begun: number, now: number): void {
    this.#replaceBefore(version, now);
    const { settling } = version;
    if (settling === 0 || begun < settling) return;
    for (const other of this.#versions) {
      if (other !== version && other.settling === settling)
        other.replacedAt = Math.min(other.replacedAt, now);
    }
  }

  #replaceBefore(version: Version, now: number): void {
    for (const earlier of this.#versions) {
      if (earlier.ended < version.begun) earlier.replacedAt = Math.min(earlier.replacedAt, now);
    }
  }

  /** Makes one of the two oldest, which may be anything then. */
  #merge(): void {
    const [first, second, ...rest] = this.#versions;
    if (!first || !second) return;
    this.#versions = [
      {
        ...first,
        content: ANYTHING,
        ended: Math.max(first.ended, second.ended),
        sure: false,
        replacedAt: Math.max(first.replacedAt, second.replacedAt),
        buried: first.buried && second.buried,
        settling: 0,
      },
      ...rest,
    ];
  }
}
