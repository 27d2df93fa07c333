/**
 * Two processes and the IPC channel of child_process, with structured clones (`serialization:
 * 'advanced'`).
 */
import { runProcessPair } from '../harness/process-pair.mjs';
import { measureMessages } from './messages.mjs';

function server() {
  process.on('message', (message) => process.send(message));
}

function client(child, settings) {
  const channel = {
    send: (message) => child.send(message),
    receive: (handler) => child.on('message', handler),
  };
  return measureMessages(channel, settings);
}

await runProcessPair(import.meta.url, { server, client });
