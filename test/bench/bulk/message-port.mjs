/**
 * Two workers and a MessagePort. Three ways (`settings.way`):
 *
 * - `copy`: the payload is posted as it is, and the port copies it.
 * - `fresh`: the producer makes a buffer for each message, fills it and gives it away, as most programs do.
 * - `reuse`: the consumer gives each buffer back to be filled again, the fastest way there is.
 *
 * With the first two the consumer grants credit for a quarter of the window at a time.
 */
import { microsecondsEach } from '../harness/measure.mjs';
import { runPair } from '../harness/pair.mjs';
import { expectedSum, makePayload, measureSizes, readPayload, windowFor } from './traffic.mjs';

function server(port, settings) {
  let sum = 0;
  let credit = 0;
  port.on('message', (message) => {
    if (message === 'sum') {
      port.postMessage({ sum, credit });
      sum = 0;
      credit = 0;
    } else if (settings.way === 'reuse') {
      sum += readPayload(message);
      port.postMessage(message, [message.buffer]);
    } else {
      sum += readPayload(message);
      credit++;
      if (credit < windowFor(message.length) / 4) return;
      port.postMessage({ credit });
      credit = 0;
    }
  });
}

/** Sends `count` packets and settles with the sum that the consumer read. */
function send(port, count, window, { sendOne, buffers }) {
  return new Promise((resolve) => {
    let left = count;
    let credit = window;
    let asked = false;
    const sendMore = () => {
      for (; left > 0 && credit > 0; credit--, left--) {
        sendOne();
      }
      if (left > 0 || asked) return;
      // Messages stay in order: the answer comes after everything else has been read and given
      // back.
      asked = true;
      port.postMessage('sum');
    };
    const onMessage = (message) => {
      if (message instanceof Uint8Array) {
        buffers.push(message);
        credit++;
      } else {
        credit += message.credit;
        if (message.sum !== undefined) {
          port.off('message', onMessage);
          resolve(message.sum);
          return;
        }
      }
      sendMore();
    };
    port.on('message', onMessage);
    sendMore();
  });
}

function client(port, settings) {
  const makeRun = (size) => {
    const payload = makePayload(size);
    const expected = expectedSum(size);
    const window = windowFor(size);
    const buffers = Array.from({ length: settings.way === 'reuse' ? window : 0 }, () => new Uint8Array(size));
    const sendBuffer = (buffer) => {
      buffer.set(payload);
      port.postMessage(buffer, [buffer.buffer]);
    };
    const ways = {
      copy: () => port.postMessage(payload),
      fresh: () => sendBuffer(new Uint8Array(size)),
      reuse: () => sendBuffer(buffers.pop()),
    };
    const sendOne = ways[settings.way];
    return async (count) => {
      const sum = await send(port, count, window, { sendOne, buffers });
      if (sum !== expected * count) throw new Error('the consumer read something else');
    };
  };
  return measureSizes(makeRun, microsecondsEach, settings);
}

await runPair(import.meta.url, { server, client });
