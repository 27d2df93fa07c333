export const RECOVERIES = ['replay', 'refuse', 'ignore'] as const;
export type Recovery = (typeof RECOVERIES)[number];

/** The wishes of whoever mounts a file system. */
export interface MountOptions {
  readonly writeable: boolean;
  /**
   * The time zone of a format that records local times, as the IANA names it, such as
   * `Europe/Berlin`; UTC if it is missing.
   */
  readonly zone?: string;
  /**
   * What to do with a journal that has to be replayed: do that (the default; for a read-only mount
   * in memory), refuse to mount, or mount read-only what is there without it.
   */
  readonly recovery?: Recovery;
}
