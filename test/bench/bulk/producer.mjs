/** Sends packets as fast as they are acknowledged, and measures. */
import { measuringComponent } from '../harness/client.mjs';
import { microsecondsEach } from '../harness/measure.mjs';
import { fromConfig } from '../harness/settings.mjs';
import { Sending } from './sending.mjs';
import { Consumer } from './session.mjs';
import { expectedSum, makePayload, measureSizes, windowFor } from './traffic.mjs';

export default measuringComponent({ requires: [Consumer] }, async (env) => {
  const settings = fromConfig(env.config);
  const makeRun = async (size) => {
    // The bulk buffer bounds what is under way.
    const session = await env.connect(Consumer, { args: { tx_buf_size: size * windowFor(size) } });
    await session.copyOut(settings.copyOut === 1);
    const payload = makePayload(size);
    const sum = expectedSum(size);
    return async (count) => {
      await new Sending(session.tx, payload, count).finish();
      if ((await session.takeSum()) !== sum * count) throw new Error('the consumer read something else');
    };
  };
  return measureSizes(makeRun, microsecondsEach, settings);
});
