/** Files of the host, opened as ginit's drivers open theirs, so that writers are kept apart. */
import { realpathSync } from 'node:fs';
import { ImageError, OpenFiles } from '@ginit/block/image';
import { openNodeFile } from '@ginit/core/supervisor';
import { systemReason } from '../system-reason.ts';

/** The files of one task; they are closed when it is disposed of. */
export function hostFiles(): OpenFiles {
  return new OpenFiles((path, use) => {
    let target: string;
    try {
      target = realpathSync(path);
    } catch (error) {
      throw new ImageError('InputOutput', `file "${path}": ${systemReason(error)}`);
    }
    return openNodeFile(target, path, use === 'rw' ? 'rw' : 'ro', { steady: use === 'ro' });
  });
}
