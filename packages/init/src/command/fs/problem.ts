/** What went wrong, in one line for people. */
import { RpcError } from '@ginit/core';
import { FsError } from '@ginit/rumpfs';

/** The one problem that ends a command. */
export class Problem extends Error {
  override readonly name = 'Problem';
}

/** Somebody has stopped the command. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** `ENOENT: no such file or directory, open '/x'` without its ends. */
const NODE_MESSAGE = /^[A-Z][A-Z0-9]+: (.+?)(?:, [a-z]+(?: '.*)?)?$/s;

/** Errors whose cause has more to say than they do. */
const DAMAGE: readonly unknown[] = ['EUCLEAN', 'EIO', 'ENOTSUP', 'EINVAL'];

/**
 * The reason of an error of a file, of an image or of a file system; undefined for a mistake of
 * ours.
 */
export function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof FsError || error instanceof RpcError) return error.message;
  const code: unknown = Reflect.get(error, 'code');
  if (typeof code !== 'string') return undefined;
  const { cause } = error;
  if (cause instanceof Error && DAMAGE.includes(code)) return cause.message;
  return NODE_MESSAGE.exec(error.message)?.[1] ?? error.message;
}

/** Does something at a place; an error of it names the place. */
export async function at<Result>(place: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Problem || error instanceof Interrupted) throw error;
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    throw new Problem(reason.includes(`"${place}"`) ? reason : `${place}: ${reason}`);
  }
}
