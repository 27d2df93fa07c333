/** What every change of a part ends with that can only be read. */
import type { FileSystemErrorCode } from '@ginit/core/file_system';
import { codeOf, fileSystemFailure } from '../../lib/file-system-failure.ts';

/** Refuses a change. */
export async function refuseChange(): Promise<never> {
  throw fileSystemFailure('Permission_denied', 'it can only be read');
}

/** A part in which nobody makes, removes or names anything: its nodes live as long as it does. */
export abstract class UnchangingTree {
  hold(): void {}

  async release(): Promise<void> {}

  readonly createFile = refuseChange;
  readonly createDirectory = refuseChange;
  readonly createSymlink = refuseChange;
  readonly link = refuseChange;
  readonly unlink = refuseChange;
  readonly removeDirectory = refuseChange;
  readonly rename = refuseChange;

  errorCode(error: unknown): FileSystemErrorCode | undefined {
    return codeOf(error);
  }
}
