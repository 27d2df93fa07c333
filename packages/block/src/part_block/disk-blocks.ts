/** The disk as the readers of partition tables see it. */
export interface DiskBlocks {
  /** Bytes of a block. The addresses of a table count in these. */
  readonly blockSize: number;
  readonly blockCount: number;
  /** Reads `count` blocks of the disk, into memory that nobody else can change. */
  read(first: number, count: number): Promise<Uint8Array>;
}
