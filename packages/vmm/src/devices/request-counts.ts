/** What the guest has asked of its disks and drives, and was answered. */

/** How many requests, and their bytes. */
export interface RequestTotals {
  readonly reads: number;
  readonly readBytes: number;
  readonly writes: number;
  readonly writtenBytes: number;
  readonly flushes: number;
}

/** Counts them. */
export class RequestCounts implements RequestTotals {
  reads = 0;
  readBytes = 0;
  writes = 0;
  writtenBytes = 0;
  flushes = 0;

  read(bytes: number): void {
    this.reads++;
    this.readBytes += bytes;
  }

  written(bytes: number): void {
    this.writes++;
    this.writtenBytes += bytes;
  }

  flushed(): void {
    this.flushes++;
  }
}
