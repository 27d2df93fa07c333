/** The sides of a copy: the host and mounted images have the same calls. */
import hostFs from 'node:fs/promises';
import type { MountedFs } from '@ginit/rumpfs';

/** What is asked of a node. */
export interface CopyStats {
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly dev: number;
  readonly ino: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isBlockDevice(): boolean;
  isCharacterDevice(): boolean;
  isFIFO(): boolean;
}

/** An open file. */
export interface CopyFile {
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  write(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** The calls. */
export interface CopyFs {
  stat(path: string): Promise<CopyStats>;
  lstat(path: string): Promise<CopyStats>;
  open(path: string, flags: number, mode?: number): Promise<CopyFile>;
  readdir(path: string): Promise<string[]>;
  mkdir(path: string, options: { readonly mode: number }): Promise<unknown>;
  readlink(path: string): Promise<string>;
  symlink(target: string, path: string): Promise<void>;
  link(path: string, newPath: string): Promise<void>;
  unlink(path: string): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  lchown(path: string, uid: number, gid: number): Promise<void>;
  lutimes(path: string, accessedSeconds: number, modifiedSeconds: number): Promise<void>;
}

/** A place of one side. */
export interface CopySide {
  readonly fs: CopyFs;
  /** Which file system it is: two sides of one image have the same. */
  readonly volume: string;
  readonly path: string;
  /** What messages call it. */
  readonly text: string;
  readonly keepsPermissions: boolean;
}

/** A place of the host. */
export function hostSide(path: string): CopySide {
  return { fs: hostFs, volume: '', path, text: path, keepsPermissions: true };
}

/** A place in an image. */
export function imageSide(fs: MountedFs, image: string, path: string, text: string): CopySide {
  return { fs, volume: image, path, text, keepsPermissions: fs.keepsPermissions };
}

/** The place of a name in a directory. */
export function inside(side: CopySide, name: string): CopySide {
  const join = (path: string): string => (path.endsWith('/') ? `${path}${name}` : `${path}/${name}`);
  return { ...side, path: join(side.path), text: join(side.text) };
}

/** The last name of a place; empty for a root. */
export function lastName({ path }: CopySide): string {
  return /([^/]*)\/*$/.exec(path)?.[1] ?? '';
}
