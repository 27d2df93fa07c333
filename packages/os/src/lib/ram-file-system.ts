/** The file system of `ram_fs`: a tmpfs, whose space is that of the component's account. */
import type { BackendSpace } from '@ginit/core/file_system';
import { Budget, Mount, MountBackend, Tmpfs } from '@ginit/rumpfs/tmpfs-server';

/** The nodes that there may be, as far as `space` says; memory is what bounds them. */
const NODES_MAX = 2 ** 32;
/** What nodes that nobody uses at the moment may be kept in memory for. */
const KEPT_BYTES = 1024 * 1024;

/** The wall clock: milliseconds since the start of 1970. */
export type Now = () => number | Promise<number>;

/** A file system in memory, behind the interface of File_system backends. */
export class RamFileSystem extends MountBackend {
  readonly #budget: Budget;
  readonly #mount: Mount;

  /** Makes an empty one. */
  static async create(budget: Budget, now: Now): Promise<RamFileSystem> {
    const hypercalls = { now: async () => now(), memoryBytes: KEPT_BYTES };
    return new RamFileSystem(await Mount.create(new Tmpfs(budget), hypercalls), budget);
  }

  private constructor(mount: Mount, budget: Budget) {
    super(mount, () => {});
    this.#mount = mount;
    this.#budget = budget;
  }

  /** What the account still has counts as free. */
  override async space(): Promise<BackendSpace> {
    const { nodesFree, blockSizeBytes: blockBytes, nameBytesMax } = this.#mount.statistics();
    const { totalBytes, freeBytes } = await this.#budget.space();
    return { totalBytes, freeBytes, totalNodes: NODES_MAX, freeNodes: nodesFree, blockBytes, nameBytesMax };
  }
}
