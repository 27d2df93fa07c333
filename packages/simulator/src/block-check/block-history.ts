/**
 * The contents that one block of a device may have. A write is a version from the moment its client
 * submits it. It replaces the versions that had ended before it began as soon as its own end is
 * known: because it was acknowledged, or because somebody has read it. A read may return every
 * version that was not replaced when the read began; with requests side by side there are several.
 * So the block behaves like a register whose operations take effect one after the other, each
 * between its beginning and its end.
 *
 * When a server ends, replaced versions may come back. Only the versions that a SYNC has buried
 * cannot: those that were followed by a version acknowledged before the SYNC was submitted.
 *
 * Times are numbers of events, in the order in which they happened; no two are the same.
 */
import { ANYTHING, UNKNOWN } from './content-hash.ts';

/**
 * The largest number of versions of one block that are told apart. Beyond it the oldest are merged
 * into one that may hold anything.
 */
const VERSIONS_MAX = 12;
/**
 * The largest number of versions that are remembered, for messages, after they have become
 * impossible.
 */
const PAST_MAX = 2;
const NEVER = Number.POSITIVE_INFINITY;

/** The content that one write gave to a block, or the content before the first write. */
export interface Version {
  content: number;
  begun: number;
  /** The time of its end; `NEVER` while it is under way. */
  ended: number;
  /** Whether it has certainly been carried out. */
  sure: boolean;
  /** Reads that begin after this time do not see it any more. */
  replacedAt: number;
  /** Whether it cannot come back when its server ends. */
  buried: boolean;
  /**
   * Versions with the same number here, other than 0, were possible after the same end of the
   * server: the block holds one of them.
   */
  settling: number;
  /** The client that wrote it, and when, for messages. */
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

/** The version of a block that nobody has written to yet. */
export function firstVersion(content: number): Version {
  const version = newVersion(content, 0, '', 0);
  version.ended = 0;
  version.sure = true;
  return version;
}

/**
 * A version that may hold anything until it is overwritten. With `underWay` it may do so for ever,
 * because a write whose end is never reported may still change the block.
 */
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

  /** The last of the versions that are impossible by now. */
  get past(): readonly Version[] {
    return this.#past;
  }

  /** Whether only one content is possible, now and after the end of the server. */
  get settled(): boolean {
    return this.#versions.length === 1 && this.#versions[0]?.ended !== NEVER;
  }

  /** Whether a write is under way or may be. */
  get underWay(): boolean {
    return this.#versions.some(({ ended }) => ended === NEVER);
  }

  /** Adds a write that has been submitted. */
  begin(version: Version): void {
    this.#versions.push(version);
    if (this.#versions.length > VERSIONS_MAX) this.#merge();
  }

  /**
   * Ends a write; `sure` says that it was acknowledged as done. A write that is no longer listed is
   * ignored.
   */
  end(version: Version, sure: boolean, now: number): void {
    if (version.ended !== NEVER || !this.#versions.includes(version)) return;
    version.ended = now;
    version.sure = sure;
    if (sure) this.#replaceBefore(version, now);
  }

  /**
   * Takes the result of a read that began at `begun`. False if the read must not have returned
   * `content`.
   */
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
    // A version with unknown content may have the same content by chance.
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
   * Call this when the server, or something below it, has ended. `direct`: writes that were under
   * way will not be carried out any more, and the block holds one of all possible versions.
   * `mixed`: the block may also hold parts of several versions. Buried versions are kept for reads
   * under way, which may have been carried out earlier.
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
   * Drops versions that cannot be read any more: by no read that began at `oldestRead` or later,
   * and, if the device is `stable`, not after an end of the server either.
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

  /** Notes that somebody has read this version, and that it was the only one with that content. */
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

  /** Merges the two oldest versions into one that may hold anything. */
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
