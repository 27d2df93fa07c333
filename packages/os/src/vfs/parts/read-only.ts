/** What every change of a part ends with that can only be read. */
import { fileSystemFailure } from '../../lib/file-system-failure.ts';

/** Refuses a change. */
export async function refuseChange(): Promise<never> {
  throw fileSystemFailure('Permission_denied', 'it can only be read');
}
