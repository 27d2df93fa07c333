/** Reports as lines of the log, for somebody who wants to see what a component reports. */
import { component } from '@ginit/core';
import { element } from '@ginit/core/config';
import { Report, serveReport } from '@ginit/core/report';

const CONFIG = element('config', 'Nothing is to be said');

export default component({ provides: [Report], config: CONFIG }, (env) => {
  env.provide(Report, (session) =>
    serveReport(session, {
      // The client waits as long as the log takes: so what waits in it is bounded.
      submit: (content) => {
        const text = new TextDecoder().decode(content).trimEnd();
        return env.log(`report "${session.label.text}"\n${text.replaceAll(/^/gm, '  ')}`);
      },
    }),
  );
});
