/** A machine is given up for the one that goes on from its state. */
import type { Assembly } from './assembly.ts';
import type { Saving } from './saving.ts';

/**
 * Has a machine that has not run go on from the state in the place of `before`, which stands still.
 * `giveUp` ends that one; until it is called nothing has happened to it. Rejects `StateError`.
 */
export async function takeOver(
  saving: Saving,
  before: Assembly,
  giveUp: () => Promise<void>,
): Promise<Assembly> {
  await saving.standStill(before);
  // What lies in the drives belongs to the machine before as long as that is there.
  if (before.standsBeside && (await saving.hasItsMedia())) {
    await saving.restoreMedia();
    const after = await before.again();
    try {
      await saving.restore(after, undefined, giveUp);
      return after;
    } catch (error) {
      await after.engine.close();
      throw error;
    }
  }
  const fingerprints = await saving.check(before);
  await giveUp();
  await saving.restoreMedia();
  const after = await before.again();
  await saving.restore(after, () => fingerprints);
  return after;
}
