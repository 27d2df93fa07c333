/** The tree that the entries of an archive make, as `tar -x` would into an empty directory. */
import { bytesOfText, NAME_BYTES_MAX, type NodeType, PATH_BYTES_MAX } from '@ginit/core/file_system';
import { type TarEntry, tarEntries } from './tar-entries.ts';
import { TarError } from './tar-header.ts';

/** A node. */
export interface TarNode {
  readonly type: NodeType;
  readonly inode: number;
  links: number;
  mode: number;
  uid: number;
  gid: number;
  modifiedMs: number;
  /** Of files. */
  readonly content: Uint8Array;
  /** Of symbolic links. */
  readonly target: string;
  /** Of directories: the entries, in the order of the archive. */
  readonly entries: Map<string, TarNode>;
}

/** A tree, and what its nodes take in memory. */
export interface TarTree {
  readonly root: TarNode;
  readonly nodes: number;
  readonly contentBytes: number;
}

/** The nodes of one archive at most. */
const NODES_MAX = 1_000_000;
const EMPTY = new Uint8Array(0);

/** Reads an archive. Throws `TarError`. */
export function readTar(archive: Uint8Array): TarTree {
  const building = new TarBuilding();
  for (const entry of tarEntries(archive)) building.add(entry);
  return building;
}

class TarBuilding implements TarTree {
  nodes = 0;
  contentBytes = 0;
  readonly root: TarNode = this.#make('directory', { mode: 0o755 });

  add(entry: TarEntry): void {
    const names = namesOf(entry.path, entry.position);
    const name = names.pop();
    if (name === undefined) {
      // "./" is the root itself.
      if (entry.type === 'directory') setAttributes(this.root, entry);
      return;
    }
    const directory = this.#directoryOf(names, entry);
    const before = directory.entries.get(name);
    if (entry.type === 'directory' && before?.type === 'directory') {
      setAttributes(before, entry);
      return;
    }
    if (before?.type === 'directory')
      throw new TarError(`"${entry.path}" would replace a directory`, entry.position);
    const node = this.#nodeOf(entry);
    if (before) before.links--;
    this.#enter(directory, name, node);
  }

  #nodeOf(entry: TarEntry): TarNode {
    switch (entry.type) {
      case 'hard-link': {
        const target = this.#find(namesOf(entry.target, entry.position));
        if (!target || target.type === 'directory')
          throw new TarError(`"${entry.path}" is a hard link to nothing before it`, entry.position);
        target.links++;
        return target;
      }
      case 'file':
        this.contentBytes += entry.content.length;
        return this.#make('file', entry, { content: entry.content });
      case 'symlink':
        if (entry.target === '' || (bytesOfText(entry.target)?.length ?? Infinity) > PATH_BYTES_MAX)
          throw new TarError(`"${entry.path}" is a symbolic link to nothing`, entry.position);
        return this.#make('symlink', { ...entry, mode: 0o777 }, { target: entry.target });
      case 'directory':
      case 'character-device':
      case 'block-device':
      case 'fifo':
        return this.#make(entry.type, entry);
    }
  }

  /** The directory of these names, made where no entry has said anything of it. */
  #directoryOf(names: readonly string[], entry: TarEntry): TarNode {
    let directory = this.root;
    for (const name of names) {
      const known = directory.entries.get(name);
      if (known && known.type !== 'directory')
        throw new TarError(`"${entry.path}" lies in what is no directory`, entry.position);
      const next = known ?? this.#make('directory', { mode: 0o755, modifiedMs: entry.modifiedMs }, {}, entry);
      if (!known) this.#enter(directory, name, next);
      directory = next;
    }
    return directory;
  }

  #find(names: readonly string[]): TarNode | undefined {
    let node: TarNode | undefined = this.root;
    for (const name of names) node = node?.entries.get(name);
    return node;
  }

  #enter(directory: TarNode, name: string, node: TarNode): void {
    if (node.type === 'directory') directory.links++;
    directory.entries.delete(name);
    directory.entries.set(name, node);
  }

  #make(
    type: NodeType,
    of: Partial<Pick<TarNode, 'mode' | 'uid' | 'gid' | 'modifiedMs'>>,
    has: Partial<Pick<TarNode, 'content' | 'target'>> = {},
    entry?: TarEntry,
  ): TarNode {
    this.nodes++;
    if (this.nodes > NODES_MAX) throw new TarError(`more than ${NODES_MAX} nodes`, entry?.position ?? 0);
    const { mode = 0, uid = 0, gid = 0, modifiedMs = 0 } = of;
    const { content = EMPTY, target = '' } = has;
    const links = type === 'directory' ? 2 : 1;
    return {
      type,
      inode: this.nodes,
      links,
      mode,
      uid,
      gid,
      modifiedMs,
      content,
      target,
      entries: new Map(),
    };
  }
}

function setAttributes(node: TarNode, { mode, uid, gid, modifiedMs }: TarEntry): void {
  Object.assign(node, { mode, uid, gid, modifiedMs });
}

/** The names on a way; a leading slash and `.` say nothing, `..` could lead out and is refused. */
function namesOf(path: string, position: number): string[] {
  const refuse = (why: string): never => {
    throw new TarError(`the name ${JSON.stringify(path.slice(0, 200))} ${why}`, position);
  };
  if ((bytesOfText(path)?.length ?? Infinity) > PATH_BYTES_MAX) refuse('is too long');
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  for (const name of names) {
    if (name === '..') refuse('leads out of its directory');
    if (name.includes('\0')) refuse('holds a zero byte');
    if ((bytesOfText(name)?.length ?? Infinity) > NAME_BYTES_MAX) refuse('has a part that is too long');
  }
  return names;
}
