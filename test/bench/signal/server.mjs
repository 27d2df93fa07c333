/** Answers each wake-up with a signal, and counts those of the other. An ordinary component. */
import { component } from '@ginit/core';
import { pinThread } from '../harness/pin-thread.mjs';
import { Bell } from './session.mjs';

/** The server's main function. */
export function serveBell(env) {
  pinThread(env.config.integer('serverCpu'));
  env.provide(Bell, () => {
    let wakeUps = 0;
    return {
      exchange: (client) => env.signal(() => client.submit()),
      counting: () =>
        env.signal(() => {
          wakeUps++;
        }),
      takeWakeUps: () => {
        const taken = wakeUps;
        wakeUps = 0;
        return taken;
      },
    };
  });
}

export default component({ provides: [Bell] }, serveBell);
