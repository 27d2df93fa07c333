/**
 * Owners and modes of nodes. A File_system session knows no owners, and sets no modes: who owns
 * everything is said by the config. What a client changes is refused, or kept in memory as long as
 * the server runs.
 */
import type { NodeStatus, NodeType } from '@ginit/core/file_system';
import { ERRNO, NinePError } from './wire.ts';

/** Nodes whose attributes are kept; those that were kept first are forgotten. */
const KEPT_MAX = 16_384;
const PERMISSIONS = 0o7777;

/** The file types of Linux. */
const TYPE_BITS: Readonly<Record<NodeType, number>> = {
  directory: 0o040000,
  symlink: 0o120000,
  file: 0o100000,
  'character-device': 0o020000,
  'block-device': 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
};

/** Owner, group and permissions; what is missing is not changed. */
export interface ChangedAttributes {
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** How owners are treated. */
export interface OwnerRules {
  /** Who owns everything. */
  readonly uid: number;
  readonly gid: number;
  /** Whether changes are kept, or refused. */
  readonly keepsChanges: boolean;
}

/** The attributes of nodes, by their inode numbers. */
export class Attributes {
  readonly #rules: OwnerRules;
  readonly #kept = new Map<number, ChangedAttributes>();

  constructor(rules: OwnerRules) {
    this.#rules = rules;
  }

  /** What Linux sees of a node. */
  of({ inode, mode, type }: NodeStatus): Required<{ mode: number; uid: number; gid: number }> {
    const kept = this.#kept.get(inode);
    return {
      mode: TYPE_BITS[type] | ((kept?.mode ?? mode) & PERMISSIONS),
      uid: kept?.uid ?? this.#rules.uid,
      gid: kept?.gid ?? this.#rules.gid,
    };
  }

  /** A node was made by somebody with these wishes, which are none that must be granted. */
  made(inode: number, wanted: ChangedAttributes): void {
    this.#kept.delete(inode);
    if (this.#rules.keepsChanges) this.#keep(inode, wanted);
  }

  /** Changes attributes. Throws if they are not kept and would be others. */
  change(status: NodeStatus, wanted: ChangedAttributes): void {
    const before = this.of(status);
    const mode = wanted.mode === undefined ? undefined : wanted.mode & PERMISSIONS;
    const isSame =
      (mode === undefined || mode === (before.mode & PERMISSIONS)) &&
      (wanted.uid === undefined || wanted.uid === before.uid) &&
      (wanted.gid === undefined || wanted.gid === before.gid);
    if (isSame) return;
    if (!this.#rules.keepsChanges) throw new NinePError(ERRNO.noPermission, 'owners and modes stay');
    this.#keep(status.inode, { ...before, ...definedOf({ ...wanted, mode }) });
  }

  #keep(inode: number, attributes: ChangedAttributes): void {
    this.#kept.delete(inode);
    if (this.#kept.size >= KEPT_MAX) {
      const [oldest] = this.#kept.keys();
      if (oldest !== undefined) this.#kept.delete(oldest);
    }
    this.#kept.set(inode, attributes);
  }
}

function definedOf({ mode, uid, gid }: ChangedAttributes): ChangedAttributes {
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
}
