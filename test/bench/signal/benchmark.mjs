/** `signal`: wake-ups without data, one at a time and in bursts that merge. */
import { compile, futexCommand } from '../harness/c-program.mjs';
import { ginitSystem } from '../harness/ginit-system.mjs';
import { pairCommand } from '../harness/pair.mjs';

const here = (name) => new URL(name, import.meta.url);

function contenders({ directory, places, settings }) {
  const { one, two } = places;
  const futex = compile(directory);
  const ginit = (id, label, place, { live = false, bursts = 0 } = {}) => {
    const suffix = live ? '-live' : '';
    const command = ginitSystem(directory, place, {
      service: 'Bell',
      server: here(`./server${suffix}.mjs`),
      client: here(`./client${suffix}.mjs`),
      config: { ...settings, bursts },
    });
    return { id, label: `ginit, ${label}`, place, command };
  };
  const pair = (id, label, place, file, bursts = 0) => {
    const command = pairCommand(here(`./${file}.mjs`), place, { ...settings, bursts });
    return { id, label, place, command };
  };
  return [
    ginit('parked', 'parked', one),
    ginit('live', 'live loops', one, { live: true }),
    pair('port-one', 'MessagePort', one, 'message-port'),
    pair('atomics-one', 'Atomics.wait', one, 'atomics'),
    { id: 'c-one', label: 'C, futex', place: one, ...futexCommand(futex, one, 0, settings) },
    ginit('spin', 'may spin', two),
    pair('port-two', 'MessagePort', two, 'message-port'),
    pair('atomics-two', 'Atomics.wait', two, 'atomics'),
    { id: 'c-two', label: 'C, futex', place: two, ...futexCommand(futex, two, 0, settings) },
    ginit('merged-one', 'bursts', one, { bursts: 1 }),
    pair('port-merged-one', 'MessagePort, bursts', one, 'message-port', 1),
    ginit('merged-two', 'bursts', two, { bursts: 1 }),
    pair('port-merged-two', 'MessagePort, bursts', two, 'message-port', 1),
  ];
}

/** The worst of those rows that were measured. */
const worst = (...ratios) => Math.min(...ratios.filter(Number.isFinite));

export const signal = {
  name: 'signal',
  title: 'wake-ups without data between two threads, and bursts of them that merge',
  columns: {
    roundTripUs: 'round trip, us',
    submitsPerSecond: 'submits per second',
    submitsPerWakeUp: 'submits per wake-up',
  },
  contenders,
  figures: (median) => ({
    wakeUpParkedUs: median('parked', 'roundTripUs') / 2,
    wakeUpLiveUs: median('live', 'roundTripUs') / 2,
    wakeUpTwoCpusUs: median('spin', 'roundTripUs') / 2,
    roundTripParkedUs: median('parked', 'roundTripUs'),
    roundTripLiveUs: median('live', 'roundTripUs'),
    roundTripTwoCpusUs: median('spin', 'roundTripUs'),
    messagePortRoundTripOneCpuUs: median('port-one', 'roundTripUs'),
    messagePortRoundTripTwoCpusUs: median('port-two', 'roundTripUs'),
    atomicsRoundTripOneCpuUs: median('atomics-one', 'roundTripUs'),
    atomicsRoundTripTwoCpusUs: median('atomics-two', 'roundTripUs'),
    cFutexRoundTripOneCpuUs: median('c-one', 'roundTripUs'),
    cFutexRoundTripTwoCpusUs: median('c-two', 'roundTripUs'),
    mergedSubmitsPerSecond: median('merged-two', 'submitsPerSecond'),
    mergedSubmitsPerSecondOneCpu: median('merged-one', 'submitsPerSecond'),
    messagePortSubmitsPerSecond: median('port-merged-two', 'submitsPerSecond'),
    messagePortSubmitsPerSecondOneCpu: median('port-merged-one', 'submitsPerSecond'),
  }),
  ratios: (median) => {
    const us = (id) => median(id, 'roundTripUs');
    const submits = (id) => median(id, 'submitsPerSecond');
    return {
      wakeUpVsMessagePort: worst(us('port-one') / us('parked'), us('port-two') / us('spin')),
      wakeUpVsC: us('c-one') / us('parked'),
      mergedVsMessagePort: worst(
        submits('merged-one') / submits('port-merged-one'),
        submits('merged-two') / submits('port-merged-two'),
      ),
    };
  },
  aims: {},
};
