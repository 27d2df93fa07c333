/** The newest lines of the log as a report. */
import { component, Log, Timer } from '@ginit/core';
import { Report } from '@ginit/core/report';
import { LOG_REPORT_CONFIG, ReportedLog } from './reported-log.ts';

const manifest = { provides: [Log], requires: [Report, Timer], config: LOG_REPORT_CONFIG };

export default component(manifest, (env) => {
  const log = new ReportedLog(env);
  env.config.onUpdate(() => log.configure());
  env.onStop(() => log.flush());
  env.provide(Log, (session) => log.open(session));
});
