/**
 * For components: a mount over a Block session in the component's own thread, in the shape of
 * Node's `fs.promises`. Nothing here touches the host.
 *
 *     const disk = await BlockClient.connect(env);
 *     await using fs = await mountSession(disk, { timer: env.timer, log: (line) => void env.log(line) });
 *     await fs.writeFile('/greeting', 'hello');
 */
import type { Env } from '@ginit/core';
import { CoarseClock } from './component/clock.ts';
import { pseudoRandom } from './component/random.ts';
import { deviceOf, type MountableBlocks } from './promises/block-device.ts';
import { type MountedFs, mountedFs, type PromisesMountOptions, startOperations } from './promises/index.ts';

export * from './promises/index.ts';
export type { MountableBlocks } from './promises/block-device.ts';
export { FsError, type FsErrorCode } from './errors.ts';

/** What a component gives a mount of its own, and its wishes. */
export interface SessionMountOptions extends PromisesMountOptions {
  /** Of the component's `env`. */
  readonly timer: Env['timer'];
  /** Takes lines for the log. */
  readonly log: (line: string) => void;
}

/** Mounts what is on the device of a Block session. Unmounting leaves the session open. */
export async function mountSession(disk: MountableBlocks, options: SessionMountOptions): Promise<MountedFs> {
  const { timer, log, ...wishes } = options;
  const after = (ms: number, handler: () => void): void => void timer.after(ms, handler);
  const clock = new CoarseClock({ currentTimeMs: () => timer.currentTimeMs(), after });
  const random = pseudoRandom(await timer.currentTimeMs());
  const world = { now: () => clock.now(), random, console: log, after };
  return mountedFs(await startOperations(deviceOf(disk), world, wishes), random);
}
