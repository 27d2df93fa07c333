/** A record of a directory. */
export interface Entry {
  readonly at: number;
  readonly inode: number;
  readonly type: number;
  readonly name: Uint8Array;
}
