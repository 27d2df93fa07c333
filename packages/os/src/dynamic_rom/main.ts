/** ROM modules that change by a timetable: for tests of what follows a ROM. */
import { component, Rom, Timer } from '@ginit/core';
import { DYNAMIC_ROM_CONFIG, openTimedRom } from './timed-rom.ts';

const manifest = { provides: [Rom], requires: [Timer], config: DYNAMIC_ROM_CONFIG };

export default component(manifest, (env) => {
  // An impossible timetable is said at the start, not by the first client that is denied.
  env.config.read(DYNAMIC_ROM_CONFIG);
  env.provide(Rom, ({ label }) => openTimedRom(env, label));
});
