/** Bursts of wake-ups that merge, measured in the same way for every contender of `signal`. */
import { microsecondsEach } from '../harness/measure.mjs';

/** The number of submits between two questions for their effect. */
const BURST = 1000;

/**
 * Measures `submit()`, a thousand calls at a time. `takeWakeUps()` settles when the server has seen
 * those before, with the number of times that they have woken it.
 */
export async function measureBursts(submit, takeWakeUps, settings) {
  let submits = 0;
  let wakeUps = 0;
  const run = async (count) => {
    for (let done = 0; done < count; done += BURST) {
      const burst = Math.min(BURST, count - done);
      for (let i = 0; i < burst; i++) submit();
      submits += burst;
      wakeUps += await takeWakeUps();
    }
  };
  const submitsPerSecond = 1e6 / (await microsecondsEach(run, settings));
  if (wakeUps === 0 || wakeUps > submits) throw new Error(`${submits} submits made ${wakeUps} wake-ups`);
  return { submitsPerSecond, submitsPerWakeUp: submits / wakeUps };
}
