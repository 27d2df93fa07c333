/** `rpc`: echo of a small structure between two threads, or two processes. */
import { compile, futexCommand } from '../harness/c-program.mjs';
import { ginitSystem } from '../harness/ginit-system.mjs';
import { pairCommand } from '../harness/pair.mjs';

/** Peers by the file that has them: pairs of threads, and pairs of processes. */
const THREADS = { 'message-port': 'MessagePort', comlink: 'comlink', capnweb: 'capnweb' };
const PROCESSES = { 'child-process': 'child_process IPC', 'unix-socket': 'Unix socket, JSON' };
const LABELS = { ...THREADS, ...PROCESSES };

const here = (name) => new URL(name, import.meta.url);

const SPINS = 20_000;

/** The contenders, made by what they run: those of ginit, the peers, and the one in C. */
class Contenders {
  #directory;
  #settings;
  #futex;

  constructor(directory, settings) {
    this.#directory = directory;
    this.#settings = settings;
    this.#futex = compile(directory);
  }

  ginit(id, label, place, { live = false, pipelined = 0, isolation = 'thread' } = {}) {
    const suffix = live ? '-live' : '';
    const command = ginitSystem(this.#directory, place, {
      service: 'Echo',
      server: here(`./echo-server${suffix}.mjs`),
      client: here(`./echo-client${suffix}.mjs`),
      config: { ...this.#settings, pipelined },
      isolation,
    });
    return { id, label: `ginit, ${label}`, place, command };
  }

  peer(name, place, suffix, pipelined = 0) {
    const settings = { ...this.#settings, pipelined };
    const command = pairCommand(here(`./${name}.mjs`), place, settings);
    return {
      id: `${name}-${suffix}`,
      label: `${LABELS[name]}${pipelined ? ', pipelined' : ''}`,
      place,
      command,
    };
  }

  /** All those of `names`. */
  peers(names, place, suffix, pipelined) {
    return Object.keys(names).map((name) => this.peer(name, place, suffix, pipelined));
  }

  inC(id, label, place, spins, peer) {
    return { id, label, place, ...futexCommand(this.#futex, place, spins, this.#settings, peer) };
  }
}

function contenders({ directory, places, settings }) {
  const { one, two, free } = places;
  const make = new Contenders(directory, settings);
  return [
    make.ginit('parked', 'parked', one),
    make.ginit('live', 'live loops', one, { live: true }),
    ...make.peers(THREADS, one, 'one'),
    make.inC('c-one', 'C, futex', one, 0),
    make.ginit('spin', 'may spin', two),
    ...make.peers(THREADS, two, 'two'),
    make.inC('c-two', 'C, spins, then futex', two, SPINS),
    make.ginit('free', 'may spin', free),
    make.peer('message-port', free, 'free'),
    make.ginit('pipelined', 'pipelined', two, { pipelined: 1 }),
    ...make.peers(THREADS, two, 'pipelined', 1),
    make.ginit('pipelined-one', 'pipelined', one, { pipelined: 1 }),
    make.peer('message-port', one, 'pipelined-one', 1),
    make.ginit('process', 'two processes', one, { isolation: 'process' }),
    ...make.peers(PROCESSES, one, 'one'),
    make.inC('c-processes-one', 'C, futex, two processes', one, 0, 'process'),
    make.ginit('process-spin', 'two processes, may spin', two, { isolation: 'process' }),
    ...make.peers(PROCESSES, two, 'two'),
    make.inC('c-processes-two', 'C, two processes, spins, then futex', two, SPINS, 'process'),
  ];
}

export const rpc = {
  name: 'rpc',
  title: 'echo of a small structure between two threads, or two processes',
  columns: { roundTripUs: 'round trip, us', callsPerSecond: 'calls per second' },
  contenders,
  figures: (median) => ({
    parkedUs: median('parked', 'roundTripUs'),
    liveUs: median('live', 'roundTripUs'),
    spinUs: median('spin', 'roundTripUs'),
    spinFreeUs: median('free', 'roundTripUs'),
    messagePortOneCpuUs: median('message-port-one', 'roundTripUs'),
    messagePortTwoCpusUs: median('message-port-two', 'roundTripUs'),
    messagePortFreeUs: median('message-port-free', 'roundTripUs'),
    comlinkOneCpuUs: median('comlink-one', 'roundTripUs'),
    comlinkTwoCpusUs: median('comlink-two', 'roundTripUs'),
    capnwebOneCpuUs: median('capnweb-one', 'roundTripUs'),
    capnwebTwoCpusUs: median('capnweb-two', 'roundTripUs'),
    cFutexOneCpuUs: median('c-one', 'roundTripUs'),
    cSpinTwoCpusUs: median('c-two', 'roundTripUs'),
    pipelinedCallsPerSecond: median('pipelined', 'callsPerSecond'),
    pipelinedOneCpuCallsPerSecond: median('pipelined-one', 'callsPerSecond'),
    messagePortPipelinedCallsPerSecond: median('message-port-pipelined', 'callsPerSecond'),
    messagePortPipelinedOneCpuCallsPerSecond: median('message-port-pipelined-one', 'callsPerSecond'),
    comlinkPipelinedCallsPerSecond: median('comlink-pipelined', 'callsPerSecond'),
    capnwebPipelinedCallsPerSecond: median('capnweb-pipelined', 'callsPerSecond'),
    processUs: median('process', 'roundTripUs'),
    processSpinUs: median('process-spin', 'roundTripUs'),
    childProcessOneCpuUs: median('child-process-one', 'roundTripUs'),
    childProcessTwoCpusUs: median('child-process-two', 'roundTripUs'),
    unixSocketOneCpuUs: median('unix-socket-one', 'roundTripUs'),
    unixSocketTwoCpusUs: median('unix-socket-two', 'roundTripUs'),
    cProcessesOneCpuUs: median('c-processes-one', 'roundTripUs'),
    cProcessesTwoCpusUs: median('c-processes-two', 'roundTripUs'),
  }),
  ratios: (median) => {
    const us = (id) => median(id, 'roundTripUs');
    return {
      parkedVsMessagePort: us('message-port-one') / us('parked'),
      parkedVsComlink: us('comlink-one') / us('parked'),
      parkedVsC: us('c-one') / us('parked'),
      liveVsMessagePort: us('message-port-one') / us('live'),
      spinVsMessagePort: us('message-port-two') / us('spin'),
      processVsChildProcess: us('child-process-one') / us('process'),
      processVsSocket: us('unix-socket-one') / us('process'),
      processSpinVsSocket: us('unix-socket-two') / us('process-spin'),
    };
  },
  aims: {
    parkedVsMessagePort: 1.3,
    parkedVsComlink: 2,
    parkedVsC: 0.25,
    liveVsMessagePort: 0.9,
    spinVsMessagePort: 10,
    processVsChildProcess: 2,
    processVsSocket: 2,
    processSpinVsSocket: 5,
  },
};
