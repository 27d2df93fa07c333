/** Writes compressed clusters into a new qcow2 image, back to back. */
import type { ClusterSink } from '../convert.ts';
import { unsupported } from '../image-error.ts';
import type { Qcow2Image } from './qcow2-image.ts';

/** The compressed clusters of an image that nobody else writes to. */
export class Qcow2PackedWriter implements ClusterSink {
  readonly compression = 'raw-deflate';
  readonly #image: Qcow2Image;
  /** Where the next compressed cluster begins, and where the clusters taken for it end. */
  #next = 0;
  #end = 0;

  constructor(image: Qcow2Image) {
    if (image.file.header.compression !== 'zlib') throw unsupported('clusters are compressed by zlib only');
    this.#image = image;
  }

  get clusterBytes(): number {
    return this.#image.file.form.clusterBytes;
  }

  async put(cluster: number, packed: Uint8Array, plain: Uint8Array): Promise<void> {
    const { clusterBytes } = this;
    const position = cluster * clusterBytes;
    if (packed.byteLength >= clusterBytes) {
      const inside = Math.min(clusterBytes, this.#image.sizeBytes - position);
      await this.#image.write(plain.subarray(0, inside), position);
      return;
    }
    while (this.#end - this.#next < packed.byteLength) await this.#takeMore();
    const host = this.#next;
    await this.#image.file.device.write(packed, host);
    await this.#image.allocation.map(cluster, [{ kind: 'compressed', host, bytes: packed.byteLength }]);
    this.#next += packed.byteLength;
    await this.#image.commitIfCrowded();
  }

  /** Takes a cluster. If it does not follow the last one, the rest of that is left empty. */
  async #takeMore(): Promise<void> {
    const { clusterBytes } = this;
    const hasUnused = this.#end > 0 && this.#next === this.#end - clusterBytes;
    const run = await this.#image.allocation.take(1);
    const at = run.first * clusterBytes;
    if (at !== this.#end) {
      // A cluster that nothing was put into is not to be lost.
      if (hasUnused) this.#image.file.refcounts.giveBack({ first: this.#next / clusterBytes, count: 1 });
      this.#next = at;
    }
    this.#end = at + clusterBytes;
  }

  async finish(): Promise<void> {
    await this.#image.close();
  }
}
