/** A snapshot as a device that cannot be written. */
import { type BlockBackend, blockError, type BlockInfo } from '@ginit/core/block';
import type { SnapshotRecord } from './store-format.ts';

/** The snapshots that views show. */
interface ViewedSnapshots {
  readonly info: BlockInfo;
  /** Rejects with `Gone` if the snapshot has been deleted. */
  readSnapshot(record: SnapshotRecord, block: number, count: number, into: Uint8Array): Promise<void>;
  viewOpened(record: SnapshotRecord): void;
  viewClosed(record: SnapshotRecord): void;
}

/** The device. Its sessions call `opened` and `closed`. */
export class SnapshotView implements BlockBackend {
  readonly info: BlockInfo;
  readonly #snapshots: ViewedSnapshots;
  readonly #record: SnapshotRecord;

  constructor(snapshots: ViewedSnapshots, record: SnapshotRecord) {
    this.#snapshots = snapshots;
    this.#record = record;
    this.info = { ...snapshots.info, blockCount: record.blockCount, writeable: false };
  }

  opened(): void {
    this.#snapshots.viewOpened(this.#record);
  }

  closed(): void {
    this.#snapshots.viewClosed(this.#record);
  }

  read(block: number, count: number, into: Uint8Array): Promise<void> {
    return this.#snapshots.readSnapshot(this.#record, block, count, into);
  }

  write(): void {
    throw blockError('ReadOnly');
  }

  sync(): void {}

  trim(): void {
    throw blockError('ReadOnly');
  }

  writeZeroes(): void {
    throw blockError('ReadOnly');
  }
}
