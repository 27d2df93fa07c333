/** Wakes the server and measures. An ordinary component. */
import { measuringComponent } from '../harness/client.mjs';
import { microsecondsEach } from '../harness/measure.mjs';
import { fromConfig } from '../harness/settings.mjs';
import { measureBursts } from './bursts.mjs';
import { Bell } from './session.mjs';

/** The client's measurement. */
export async function measureBell(env) {
  const settings = fromConfig(env.config);
  const bell = await env.connect(Bell);
  return settings.bursts ? measureMerging(bell, settings) : measureRoundTrips(env, bell, settings);
}

async function measureMerging(bell, settings) {
  const counting = await bell.counting();
  return measureBursts(
    () => counting.submit(),
    () => bell.takeWakeUps(),
    settings,
  );
}

async function measureRoundTrips(env, bell, settings) {
  let left = 0;
  let finish = () => {};
  const woken = env.signal(() => {
    left--;
    if (left > 0) server.submit();
    else finish();
  });
  const server = await bell.exchange(woken);
  const run = (count) =>
    new Promise((resolve) => {
      left = count;
      finish = resolve;
      server.submit();
    });
  return { roundTripUs: await microsecondsEach(run, settings) };
}

export default measuringComponent({ requires: [Bell] }, measureBell);
