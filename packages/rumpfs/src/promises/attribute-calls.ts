/** The calls of `fs.promises` about the attributes of nodes and of the file system. */
import {
  type Mode,
  modeNumber,
  normalPath,
  type PathLike,
  pathText,
  type TimeLike,
  timeMs,
} from './arguments.ts';
import { ChangeWatch, type FileChange } from './change-watch.ts';
import { CONSTANTS } from './constants.ts';
import { attempting, NodeError } from './node-error.ts';
import type { FsOperations, NodeFacts, VolumeFacts } from './operations.ts';
import { MountedBigIntStats, MountedStatFs, MountedStats } from './stats.ts';

/** Those calls, and what all calls use. */
export class AttributeCalls {
  /** The format, such as `ext2` (which includes ext3 and ext4) or `msdos`. */
  readonly type: string;
  /** Whether it may be changed. */
  readonly writeable: boolean;
  protected readonly operations: FsOperations;
  protected readonly changes = new ChangeWatch();

  constructor(operations: FsOperations, { type, writeable }: VolumeFacts) {
    this.operations = operations;
    this.type = type;
    this.writeable = writeable;
  }

  async stat(path: PathLike, options?: { readonly bigint?: false }): Promise<MountedStats>;
  async stat(path: PathLike, options: { readonly bigint: true }): Promise<MountedBigIntStats>;
  async stat(
    path: PathLike,
    options?: { readonly bigint?: boolean },
  ): Promise<MountedStats | MountedBigIntStats> {
    return statsOf(await this.facts('stat', pathText(path), true), options);
  }

  async lstat(path: PathLike, options?: { readonly bigint?: false }): Promise<MountedStats>;
  async lstat(path: PathLike, options: { readonly bigint: true }): Promise<MountedBigIntStats>;
  async lstat(
    path: PathLike,
    options?: { readonly bigint?: boolean },
  ): Promise<MountedStats | MountedBigIntStats> {
    return statsOf(await this.facts('lstat', pathText(path), false), options);
  }

  async statfs(path: PathLike, options?: { readonly bigint?: false }): Promise<MountedStatFs>;
  async statfs(path: PathLike, options: { readonly bigint: true }): Promise<MountedStatFs<bigint>>;
  async statfs(
    path: PathLike,
    options?: { readonly bigint?: boolean },
  ): Promise<MountedStatFs | MountedStatFs<bigint>> {
    await this.facts('statfs', pathText(path), true);
    const facts = await attempting({ syscall: 'statfs' }, () => this.operations.volume());
    return options?.bigint === true ? new MountedStatFs(facts, BigInt) : new MountedStatFs(facts, Number);
  }

  /**
   * Whether a file is there and could be used. As for root, only writing to what is mounted
   * read-only is refused, and execution of what nobody may execute.
   */
  async access(path: PathLike, mode: number = CONSTANTS.F_OK): Promise<void> {
    const text = pathText(path);
    const { type, permissions } = (await this.facts('access', text, true)).attributes;
    const attempt = { syscall: 'access', path: text };
    if ((mode & CONSTANTS.W_OK) !== 0 && !this.writeable) throw new NodeError('EROFS', attempt);
    if ((mode & CONSTANTS.X_OK) !== 0 && type !== 'directory' && (permissions & 0o111) === 0)
      throw new NodeError('EACCES', attempt);
  }

  async utimes(path: PathLike, accessed: TimeLike, modified: TimeLike): Promise<void> {
    return this.#changeTimes('utime', path, { accessed, modified, follow: true });
  }

  async lutimes(path: PathLike, accessed: TimeLike, modified: TimeLike): Promise<void> {
    return this.#changeTimes('lutime', path, { accessed, modified, follow: false });
  }

  async chmod(path: PathLike, mode: Mode): Promise<void> {
    const text = pathText(path);
    const permissions = modeNumber(mode, 0) & 0o7777;
    await attempting({ syscall: 'chmod', path: text }, () =>
      this.operations.change(text, { permissions }, true),
    );
    this.tell('change', text);
  }

  async chown(path: PathLike, uid: number, gid: number): Promise<void> {
    return this.#changeOwner('chown', pathText(path), { uid, gid }, true);
  }

  async lchown(path: PathLike, uid: number, gid: number): Promise<void> {
    return this.#changeOwner('lchown', pathText(path), { uid, gid }, false);
  }

  protected facts(syscall: string, path: string, follow: boolean): Promise<NodeFacts> {
    return attempting({ syscall, path }, () => this.operations.facts(path, follow));
  }

  async #changeTimes(
    syscall: string,
    path: PathLike,
    times: { readonly accessed: TimeLike; readonly modified: TimeLike; readonly follow: boolean },
  ): Promise<void> {
    const text = pathText(path);
    const change = { accessedMs: timeMs(times.accessed), modifiedMs: timeMs(times.modified) };
    await attempting({ syscall, path: text }, () => this.operations.change(text, change, times.follow));
    this.tell('change', text);
  }

  async #changeOwner(
    syscall: string,
    path: string,
    owner: { readonly uid: number; readonly gid: number },
    follow: boolean,
  ): Promise<void> {
    await attempting({ syscall, path }, () => this.operations.change(path, owner, follow));
    this.tell('change', path);
  }

  protected tell(eventType: FileChange['eventType'], path: string): void {
    if (this.changes.isWatched) this.changes.tell(eventType, normalPath(path));
  }
}

function statsOf(
  facts: NodeFacts,
  options?: { readonly bigint?: boolean },
): MountedStats | MountedBigIntStats {
  return options?.bigint === true ? new MountedBigIntStats(facts) : new MountedStats(facts);
}
