/** The wishes of whoever mounts a file system. */
export interface MountOptions {
  readonly writeable: boolean;
  /**
   * The time zone of a format that records local times, as the IANA names it, such as
   * `Europe/Berlin`; UTC if it is missing.
   */
  readonly zone?: string;
}
