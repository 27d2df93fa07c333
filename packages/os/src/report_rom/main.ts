/** Reports as ROM modules: whoever may read a report gets it as a ROM. */
import { component, Rom } from '@ginit/core';
import { Report } from '@ginit/core/report';
import { REPORT_ROM_CONFIG, ReportedRoms } from './reported-roms.ts';

export default component({ provides: [Report, Rom], config: REPORT_ROM_CONFIG }, (env) => {
  const roms = new ReportedRoms(env);
  env.provide(Report, (session) => roms.openReport(session));
  env.provide(Rom, (session) => roms.openRom(session));
});
