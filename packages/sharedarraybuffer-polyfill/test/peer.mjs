// The other process of the tests, told by its first argument what to do. Runs the compiled package.
import { DescriptorSocket, futexWaitAsync, SharedAtomics, SharedMemory } from 'sharedarraybuffer-polyfill';

const SIZE = 65_536;
const MEMORY = 3;
const SOCKET = 3;
// Nothing of the package keeps a process alive.
const alive = setInterval(() => {}, 1000);

const roles = {
  /** Answers each change of word 0 to n by word 1 = n, blocking; ends after `rounds`. */
  pong(rounds) {
    const words = SharedMemory.open(MEMORY, SIZE).words();
    for (let round = 1; round <= rounds; round++) {
      while (SharedAtomics.load(words, 0) < round) SharedAtomics.wait(words, 0, round - 1);
      SharedAtomics.store(words, 1, round);
      SharedAtomics.notify(words, 1);
    }
  },
  /** The same with its event loop alive. */
  async pongAsync(rounds) {
    const words = SharedMemory.open(MEMORY, SIZE).words();
    for (let round = 1; round <= rounds; round++) {
      while (SharedAtomics.load(words, 0) < round) {
        if (round % 2 === 0) await futexWaitAsync(words, 0, round - 1);
        else await SharedAtomics.waitAsync(words, 0, round - 1).value;
      }
      SharedAtomics.store(words, 1, round);
      SharedAtomics.notify(words, 1);
    }
  },
  /** Many waits at a time, on words of their own; says how each ended. */
  async crowd(count) {
    const words = SharedMemory.open(MEMORY, SIZE).words();
    const waits = Array.from({ length: count }, (_, i) => SharedAtomics.waitAsync(words, i + 1, 0).value);
    SharedAtomics.store(words, 0, 1);
    SharedAtomics.notify(words, 0);
    const outcomes = await Promise.all(waits);
    process.exitCode = outcomes.every((outcome) => outcome === 'ok') ? 0 : 1;
  },
  /** Maps, unmaps, waits and wakes until it is killed. */
  use() {
    const words = SharedMemory.open(MEMORY, SIZE).words();
    process.send('ready');
    for (;;) {
      const own = SharedMemory.create(SIZE);
      SharedAtomics.add(words, 0, 1);
      SharedAtomics.notify(words, 0);
      SharedAtomics.wait(words, 1, 0, 1);
      own.close();
    }
  },
  /** Makes memory and sends it, over and over, until it is killed. */
  make() {
    const socket = DescriptorSocket.adopt(SOCKET);
    process.send('ready');
    for (;;) {
      const memory = SharedMemory.create(SIZE);
      memory.words()[0] = 42;
      socket.send(memory.descriptor, Buffer.from('made'));
      SharedAtomics.wait(memory.words(), 1, 0, 1);
      memory.close();
    }
  },
};

await roles[process.argv[2]](Number(process.argv[3]));
clearInterval(alive);
process.disconnect?.();
