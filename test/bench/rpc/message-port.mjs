/** Two workers and a MessagePort, used at its fastest: plain handlers, no promise for each call. */
import { microsecondsEach } from '../harness/measure.mjs';
import { runPair } from '../harness/pair.mjs';
import { checkReply, makeMessage, WINDOW } from './message.mjs';

function server(port) {
  port.on('message', (message) => port.postMessage(message));
}

/** Performs `count` echoes with `window` of them in flight. Answers come in order. */
function echoes(port, count, window) {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let received = 0;
    const onMessage = (reply) => {
      try {
        checkReply(reply, received++);
      } catch (error) {
        reject(error);
      }
      if (sent < count) port.postMessage(makeMessage(sent++));
      if (received < count) return;
      port.off('message', onMessage);
      resolve();
    };
    port.on('message', onMessage);
    while (sent < Math.min(count, window)) port.postMessage(makeMessage(sent++));
  });
}

async function client(port, settings) {
  const window = settings.pipelined ? WINDOW : 1;
  const us = await microsecondsEach((count) => echoes(port, count, window), settings);
  return settings.pipelined ? { callsPerSecond: 1e6 / us } : { roundTripUs: us };
}

await runPair(import.meta.url, { server, client });
