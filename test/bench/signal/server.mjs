/** Answers each wake-up with a signal, and counts those of the other. An ordinary component. */
import { component } from '@ginit/core';
import { Bell } from './session.mjs';

/** The server's main function. */
export function serveBell(env) {
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
