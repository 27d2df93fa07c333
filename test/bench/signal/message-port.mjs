/**
 * Two workers that wake each other by empty messages, and merge what arrives before they have
 * looked.
 */
import { microsecondsEach } from '../harness/measure.mjs';
import { runPair } from '../harness/pair.mjs';
import { measureBursts } from './bursts.mjs';

function server(port, settings) {
  let wakeUps = 0;
  let pending = false;
  const look = () => {
    pending = false;
    wakeUps++;
  };
  port.on('message', (message) => {
    if (!settings.bursts) {
      port.postMessage(null);
    } else if (message === 'take') {
      // After a look that is due: it counts for what came before this question.
      setImmediate(() => {
        port.postMessage(wakeUps);
        wakeUps = 0;
      });
    } else if (!pending) {
      pending = true;
      setImmediate(look);
    }
  });
}

function roundTrips(port, count) {
  return new Promise((resolve) => {
    let left = count;
    const onMessage = () => {
      left--;
      if (left > 0) {
        port.postMessage(null);
        return;
      }
      port.off('message', onMessage);
      resolve();
    };
    port.on('message', onMessage);
    port.postMessage(null);
  });
}

async function client(port, settings) {
  if (!settings.bursts) {
    return { roundTripUs: await microsecondsEach((count) => roundTrips(port, count), settings) };
  }
  const takeWakeUps = () =>
    new Promise((resolve) => {
      port.once('message', resolve);
      port.postMessage('take');
    });
  return measureBursts(() => port.postMessage(null), takeWakeUps, settings);
}

await runPair(import.meta.url, { server, client });
