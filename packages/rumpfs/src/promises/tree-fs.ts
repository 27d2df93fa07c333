/** What copying and removing whole trees uses of a mounted file system. */
import type { MountedFileHandle } from './file-handle.ts';
import type { MountedDirent, MountedStats } from './stats.ts';

/** The calls. */
export interface TreeFs {
  readonly keepsPermissions: boolean;
  stat(path: string): Promise<MountedStats>;
  lstat(path: string): Promise<MountedStats>;
  open(path: string, flags: number, mode?: number): Promise<MountedFileHandle>;
  mkdir(path: string, options: { readonly mode: number }): Promise<unknown>;
  mkdir(path: string, options: { readonly recursive: true }): Promise<unknown>;
  readdir(path: string, options: { readonly withFileTypes: true }): Promise<MountedDirent[]>;
  rmdir(path: string): Promise<void>;
  unlink(path: string): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  utimes(path: string, accessed: Date, modified: Date): Promise<void>;
  readlink(path: string): Promise<string>;
  symlink(target: string, path: string): Promise<void>;
  copyFile(source: string, destination: string, mode: number): Promise<void>;
}
