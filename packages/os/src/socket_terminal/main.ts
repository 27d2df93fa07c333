/** Terminals at sockets of the host: people and programs connect, and see and type. */
import { component } from '@ginit/core';
import { Terminal } from '@ginit/core/terminal';
import { SOCKET_TERMINAL_CONFIG, SocketTerminals } from './socket-terminals.ts';

export default component(
  { provides: [Terminal], mayHost: ['unix-listen', 'tcp-listen'], config: SOCKET_TERMINAL_CONFIG },
  (env) => {
    const terminals = new SocketTerminals(env);
    env.provide(Terminal, (session) => terminals.open(session));
  },
);
