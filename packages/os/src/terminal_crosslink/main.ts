/** Joins two terminals: what one client writes, the other reads. */
import { component } from '@ginit/core';
import { element } from '@ginit/core/config';
import { Terminal } from '@ginit/core/terminal';
import { Crosslink } from './crosslink.ts';

const CONFIG = element('config', 'Nothing is to be said');

export default component({ provides: [Terminal], config: CONFIG }, (env) => {
  const crosslink = new Crosslink();
  env.provide(Terminal, (session) => crosslink.open(session));
});
