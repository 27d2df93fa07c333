/** What one client of a share works on: the file system, its fids, and its owners. */
import { hasCode } from '@ginit/core';
import type { FileSystemClient, NodeStatus, NodeType } from '@ginit/core/file_system';
import { Attributes, type OwnerRules } from './attributes.ts';
import { checkedName, type Fid, Fids, pathOf } from './fids.ts';
import { ERRNO, type MessageReader, type MessageWriter, NinePError, type Qid } from './wire.ts';

/** The part of a File_system client that is used. */
export type SharedFiles = Pick<
  FileSystemClient,
  | 'link'
  | 'lstat'
  | 'mkdir'
  | 'open'
  | 'openDirectory'
  | 'readlink'
  | 'rename'
  | 'rmdir'
  | 'space'
  | 'symlink'
  | 'sync'
  | 'truncate'
  | 'unlink'
>;

/** How a share is served. */
export interface ShareOptions extends OwnerRules {
  readonly writeable: boolean;
  /** The longest message, its header included. */
  readonly messageBytes: number;
  /** Fids of one client. */
  readonly fidsMax: number;
}

/** Does what a message asks for, and writes the body of the answer. */
export type Operation = (share: Share, ask: MessageReader, answer: MessageWriter) => Promise<void> | void;

const DIRECTORY_KIND = 0x80;
const SYMLINK_KIND = 0x02;

/** The qid of a node. */
export function qidOf({ type, inode }: { readonly type: NodeType; readonly inode: number }): Qid {
  return { kind: type === 'directory' ? DIRECTORY_KIND : type === 'symlink' ? SYMLINK_KIND : 0, inode };
}

/** One client's view of a share. */
export class Share {
  readonly files: SharedFiles;
  readonly options: ShareOptions;
  readonly fids: Fids;
  readonly attributes: Attributes;
  /** The longest message that the client and we have agreed on. */
  messageBytes: number;

  constructor(files: SharedFiles, options: ShareOptions) {
    this.files = files;
    this.options = options;
    this.fids = new Fids(options.fidsMax);
    this.attributes = new Attributes(options);
    this.messageBytes = options.messageBytes;
  }

  /** Throws if nothing may be changed. */
  checkWriteable(): void {
    if (!this.options.writeable) throw new NinePError(ERRNO.readOnly, 'the share is only read');
  }

  /** The status of what a fid stands for: of what is open, if it is. */
  async status(fid: Fid): Promise<NodeStatus> {
    if (fid.file) return fid.file.status();
    if (fid.directory) return fid.directory.directory.status();
    return this.files.lstat(pathOf(fid.path));
  }

  /** The path of an entry that is to be made, renamed or removed. */
  entry(directory: Fid, name: string): readonly string[] {
    return [...directory.path, checkedName(name)];
  }

  /** Something was made at this path; the result is its qid. */
  async made(
    path: readonly string[],
    by: { readonly mode?: number; readonly uid: number; readonly gid: number },
  ): Promise<Qid> {
    const status = await this.files.lstat(pathOf(path));
    this.attributes.made(status.inode, by);
    return qidOf(status);
  }

  /** Renames, and lets the fids of it and below know. */
  async rename(from: readonly string[], to: readonly string[]): Promise<void> {
    this.checkWriteable();
    await this.files.rename(pathOf(from), pathOf(to));
    this.fids.renamed(from, to);
  }

  /** Removes a node of any kind. */
  async remove(path: readonly string[]): Promise<void> {
    this.checkWriteable();
    try {
      await this.files.unlink(pathOf(path));
    } catch (error) {
      if (!hasCode(error, 'Is_a_directory')) throw error;
      await this.files.rmdir(pathOf(path));
    }
  }
}
