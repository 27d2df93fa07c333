/** The preparations of a process for its jail that it can make before it knows the rules. */
import { stat } from 'node:fs/promises';
import { jailMeans } from './lacks.ts';

/**
 * Loads what jails are made with, and brings up the threads of libuv's pool: all of them come with
 * the first operation on a file, and none can come any more when the threads that run components
 * may not start others.
 */
export async function prepareJail(): Promise<void> {
  jailMeans();
  await stat('/').catch(() => {});
}
