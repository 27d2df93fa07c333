import { FsError } from '../errors.ts';
import { ClusterRun } from '../fat/cluster-run.ts';
import { FAT_END } from '../fat/fat-entry.ts';
import { FileData } from '../fat/file-data.ts';
import { Growth } from '../fat/growth.ts';
import type { Chain } from './chain.ts';
import type { EntryFields } from './entry.ts';
import type { Volume } from './volume.ts';

/** The largest file: its size has 32 bits. */
export const FILE_BYTES_MAX = 0xffff_ffff;

/** The contents of a file on a FAT, which has no holes: all of it is written. */
export class MsdosData extends FileData {
  readonly #volume: Volume;
  readonly #chain: Chain;
  readonly #fields: EntryFields;

  constructor(volume: Volume, chain: Chain, fields: EntryFields, owner: string) {
    super(volume, chain, owner);
    this.#volume = volume;
    this.#chain = chain;
    this.#fields = fields;
  }

  get sizeBytes(): number {
    return this.#fields.sizeBytes;
  }

  get validBytes(): number {
    return this.#fields.sizeBytes;
  }

  protected resize(sizeBytes: number): void {
    this.#fields.sizeBytes = sizeBytes;
  }

  protected requireSize(sizeBytes: number): void {
    if (sizeBytes > FILE_BYTES_MAX)
      throw new FsError('FileTooLarge', `a file on a FAT has at most ${FILE_BYTES_MAX} bytes`);
  }

  protected async extend(sizeBytes: number): Promise<void> {
    const growth = new Growth(this);
    try {
      await growth.zero(sizeBytes);
      await growth.settle();
      this.#fields.sizeBytes = sizeBytes;
    } catch (error) {
      await growth.settle().catch(() => undefined);
      await this.giveBack();
      throw error;
    }
  }

  protected readonly leansOnChain = true;
  protected readonly inOnePiece = false;

  protected async append({ cluster, count }: ClusterRun): Promise<void> {
    const chain = this.#chain;
    if (chain.last === 0) this.#fields.firstCluster = cluster;
    else await this.#volume.fat.set(chain.last, cluster);
    chain.append(cluster, count);
  }

  protected async cut(count: number): Promise<void> {
    const run = new ClusterRun();
    await this.#chain.map(count - 1, 1, run);
    await this.#volume.fat.set(run.cluster, FAT_END);
    this.#chain.cut(count);
  }

  protected clear(): void {
    this.#fields.firstCluster = 0;
    this.#chain.restart(0);
  }
}
