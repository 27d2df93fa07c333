/** Nodes of the file system. */
import type { NodeType } from '@ginit/core/file_system';
import type { DirectoryEntries } from './directory-entries.ts';
import type { FileData } from './file-data.ts';

interface NodeCommon {
  readonly id: number;
  readonly type: NodeType;
  /** The number of names; 0 once it lives only because somebody holds it. */
  links: number;
  held: number;
  modifiedMs: number;
}

/** A file. */
export interface RamFile extends NodeCommon {
  readonly type: 'file';
  readonly data: FileData;
}

/** A directory. */
export interface RamDirectory extends NodeCommon {
  readonly type: 'directory';
  readonly entries: DirectoryEntries<RamNode>;
  /** The directory above; of the root, itself. */
  parent: RamDirectory | undefined;
}

/** A symbolic link. */
export interface RamSymlink extends NodeCommon {
  readonly type: 'symlink';
  readonly target: string;
}

/** A node of the file system. */
export type RamNode = RamFile | RamDirectory | RamSymlink;
