/** The output of terminals as lines of the log. */
import { component } from '@ginit/core';
import { element } from '@ginit/core/config';
import { Terminal } from '@ginit/core/terminal';
import { LoggedTerminal } from './logged-terminal.ts';

const CONFIG = element('config', 'Nothing is to be said');

export default component({ provides: [Terminal], config: CONFIG }, (env) => {
  env.provide(Terminal, (session) => new LoggedTerminal(session, (line) => env.log(line)).session);
});
