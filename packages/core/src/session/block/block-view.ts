/**
 * Views: the part of a device that a session shows. The client asks for it by session arguments.
 */
import { SessionError } from '../../errors.ts';
import type { BlockInfo } from './declaration.ts';
import type { SessionArguments } from '../parent.ts';

/** A range of blocks of a device. */
export interface BlockView {
  /** First block of the device that the view shows. */
  readonly first: number;
  /** Blocks of the view, at least one unless the device has none. */
  readonly count: number;
  /**
   * Whether it shows all that the device has from `first` on, so that it grows with the device. It
   * does if the client has named no number of blocks.
   */
  readonly grows: boolean;
  /** Whether the server's policy and the client allow writing; the device has a say, too. */
  readonly writeable: boolean;
}

/**
 * The view that the session arguments `offset`, `num_blocks` and `writeable` ask for. `info`
 * describes the device, or the part of one that the server offers. The view is writeable if the
 * device, the server's policy and the arguments all agree. Throws `DENIED` if the arguments are
 * malformed or go beyond the device.
 */
export function blockView(info: BlockInfo, args: SessionArguments, writeable = true): BlockView {
  const first = blocksArgument(args, 'offset') ?? 0;
  if (first > info.blockCount || (first > 0 && first === info.blockCount)) {
    throw new SessionError('DENIED', `offset ${first} is beyond the ${info.blockCount} blocks of the device`);
  }
  const wantedCount = blocksArgument(args, 'num_blocks');
  const count = wantedCount ?? info.blockCount - first;
  if (count > info.blockCount - first) {
    throw new SessionError(
      'DENIED',
      `${count} blocks from ${first} on go beyond the ${info.blockCount} blocks of the device`,
    );
  }
  if (wantedCount === 0) throw new SessionError('DENIED', 'num_blocks is 0');
  const wanted = args['writeable'] ?? true;
  if (typeof wanted !== 'boolean') throw new SessionError('DENIED', 'writeable is not a boolean');
  const grows = wantedCount === undefined;
  return { first, count, grows, writeable: writeable && wanted };
}

/** The device as a view shows it now, whatever the size that it had when the view was made. */
export function infoOfView(info: BlockInfo, { first, count, grows, writeable }: BlockView): BlockInfo {
  const behind = Math.max(0, info.blockCount - first);
  return {
    ...info,
    blockCount: grows ? behind : Math.min(count, behind),
    writeable: info.writeable && writeable,
  };
}

function blocksArgument(args: SessionArguments, name: string): number | undefined {
  const value = args[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new SessionError('DENIED', `${name} is not a number of blocks`);
  }
  return value;
}
