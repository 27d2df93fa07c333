/** Something from which a thread takes work: a channel, or a port. */
export interface WorkSource {
  /** Takes everything there is now. */
  drain(): void;
}
