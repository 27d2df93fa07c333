import { FsError } from '../errors.ts';
import { ClusterRun } from '../fat/cluster-run.ts';
import { FileData } from '../fat/file-data.ts';
import type { Chain } from './chain.ts';
import type { FileSet } from './file-set.ts';
import type { Volume } from './volume.ts';

/** The contents of a file on an exFAT: only a part of its clusters may have been written yet. */
export class ExfatData extends FileData {
  readonly #set: FileSet;
  readonly #chain: Chain;

  constructor(volume: Volume, chain: Chain, set: FileSet, owner: string) {
    super(volume, chain, owner);
    this.#chain = chain;
    this.#set = set;
  }

  get sizeBytes(): number {
    return this.#set.sizeBytes;
  }

  get validBytes(): number {
    return this.#set.validBytes;
  }

  protected resize(sizeBytes: number, validBytes: number): void {
    this.#set.sizeBytes = sizeBytes;
    this.#set.validBytes = validBytes;
  }

  protected requireSize(sizeBytes: number): void {
    if (!Number.isSafeInteger(sizeBytes))
      throw new FsError('FileTooLarge', `a file has at most ${Number.MAX_SAFE_INTEGER} bytes here`);
  }

  /** Takes clusters, and writes nothing into them. */
  protected async extend(sizeBytes: number): Promise<void> {
    const { volume, chain } = this;
    const wanted = volume.clustersFor(sizeBytes);
    const run = new ClusterRun();
    try {
      for (let have = await chain.follow(); have < wanted; have = chain.known) {
        await volume.allocate(chain.last === 0 ? 0 : chain.last + 1, wanted - have, run);
        await this.link(run);
        const held = volume.cache.throttle();
        if (held !== undefined) await held;
      }
      this.#set.sizeBytes = sizeBytes;
    } catch (error) {
      await this.giveBack();
      throw error;
    }
  }

  protected get leansOnChain(): boolean {
    return !this.#chain.contiguous;
  }

  protected get inOnePiece(): boolean {
    return this.#chain.contiguous;
  }

  protected async append({ cluster, count }: ClusterRun): Promise<void> {
    await this.#chain.append(cluster, count);
    this.note();
  }

  protected cut(count: number): Promise<void> {
    return this.#chain.cut(count);
  }

  protected clear(): void {
    this.#chain.clear();
    this.note();
  }

  /** Takes the chain over into the entries. */
  note(): void {
    this.#set.firstCluster = this.#chain.first;
    this.#set.contiguous = this.#chain.contiguous;
  }
}
