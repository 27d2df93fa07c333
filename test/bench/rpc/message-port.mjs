/** Two workers and a MessagePort, used at its fastest: plain handlers, no promise for each call. */
import { runPair } from '../harness/pair.mjs';
import { measureMessages } from './messages.mjs';

function server(port) {
  port.on('message', (message) => port.postMessage(message));
}

function client(port, settings) {
  const channel = {
    send: (message) => port.postMessage(message),
    receive: (handler) => port.on('message', handler),
  };
  return measureMessages(channel, settings);
}

await runPair(import.meta.url, { server, client });
