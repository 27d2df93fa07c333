/** The work of the threads of thread-rings.test.ts and thread-doorbell.test.ts, by role. */
import { parentPort, workerData } from 'node:worker_threads';

const { library, role } = workerData;
const { Bell, Doorbell } = await import(`${library}/wire/doorbell.js`);
const { PortTravel } = await import(`${library}/thread/memory/memory-travel.js`);
const { RingCarrier } = await import(`${library}/thread/ring/ring-carrier.js`);
const { ThreadLoop } = await import(`${library}/thread/thread-loop.js`);

let state = workerData.seed >>> 0;
function random(limit) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

function carriers(rings, loop) {
  return rings.map(({ ring, port, slot, peerDoorbell }) => {
    const carrier = new RingCarrier(ring, {
      travel: new PortTravel(port),
      peerBell: new Bell(peerDoorbell, workerData.census),
      wake: () => loop.wake(slot),
      finished: () => loop.remove(slot, carrier),
    });
    loop.add(slot, carrier);
    return carrier;
  });
}

/** A port that is listened to keeps a thread alive that waits. */
function keepAlive() {
  parentPort.on('message', () => {});
}

/** Words of a frame: number, length, then a sequence that depends on both. */
function fill(words, serial) {
  words[0] = serial;
  words[1] = words.length;
  for (let index = 2; index < words.length; index++) words[index] = Math.imul(serial + 1, index * 7 + 13);
}

function check(words, serial) {
  if (words[0] !== serial) throw new Error(`frame ${words[0]} instead of ${serial}`);
  if (words[1] !== words.length)
    throw new Error(`frame ${serial} has ${words.length} words, not ${words[1]}`);
  for (let index = 2; index < words.length; index++) {
    if (words[index] !== Math.imul(serial + 1, index * 7 + 13)) throw new Error(`frame ${serial} is changed`);
  }
}

/**
 * Sends `frames` on every channel and checks as many; both ends do. At most `window` frames are on
 * their way.
 */
function traffic() {
  const { frames, window, wordsMax, live, rings } = workerData;
  const loop = new ThreadLoop(new Doorbell(workerData.doorbell, workerData.census), live);
  keepAlive();
  let open = rings.length;
  let waited = 0;
  for (const carrier of carriers(rings, loop)) {
    let sent = 0;
    let received = 0;
    let acknowledged = 0;
    const more = () => {
      // Now and then as few as one, now and then as many as may be.
      while (sent < frames && sent - acknowledged < 1 + random(window)) {
        const words = new Int32Array(2 + (random(20) === 0 ? random(wordsMax) : random(30)));
        fill(words, sent++);
        carrier.send(new Uint8Array(words.buffer), []);
        waited += carrier.waitingFrames > 0 ? 1 : 0;
      }
      if (received === frames && acknowledged === frames && --open === 0) {
        parentPort.postMessage({ received, waited }, []);
      }
    };
    carrier.receive((frame) => {
      if (frame.byteLength === 1) acknowledged++;
      else {
        check(new Int32Array(frame.buffer, frame.byteOffset, frame.byteLength / 4), received++);
        carrier.send(new Uint8Array(1), []);
      }
      // In a microtask, as components answer.
      void Promise.resolve().then(more);
    });
    more();
  }
  loop.start();
}

/**
 * Rings the peers one after the other and parks until each has answered; nobody ever looks around
 * by himself.
 */
function ringer() {
  const { rounds, census, slot } = workerData;
  const doorbell = new Doorbell(workerData.doorbell, census);
  const bell = new Bell(workerData.peerDoorbell, census);
  for (let round = 1; round <= rounds; round++) {
    for (let work = random(300); work > 0; work--) Atomics.load(workerData.counters, 0);
    Atomics.add(workerData.counters, slot, 1);
    bell.ring(slot);
    while (Atomics.load(workerData.answers, slot) !== round) {
      doorbell.park(Infinity);
      doorbell.take(() => {});
    }
  }
  parentPort.postMessage(rounds, []);
}

/** Answers ringers; its thread is parked, or waits with a live loop. */
function answerer() {
  const { rounds, census, ringers, live } = workerData;
  const doorbell = new Doorbell(workerData.doorbell, census);
  const bells = ringers.map((memory) => new Bell(memory, census));
  let answered = 0;
  const visit = (slot) => {
    const counted = Atomics.load(workerData.counters, slot);
    if (counted === Atomics.load(workerData.answers, slot)) return;
    answered++;
    Atomics.store(workerData.answers, slot, counted);
    bells[slot].ring(0);
  };
  const turn = () => {
    for (;;) {
      while (doorbell.take(visit));
      if (answered === rounds * ringers.length) return parentPort.postMessage(answered, []);
      for (let work = random(300); work > 0; work--) Atomics.load(workerData.counters, 0);
      if (!live) doorbell.park(Infinity);
      else {
        const rung = doorbell.wait();
        if (rung) return void rung.then(turn);
      }
    }
  };
  keepAlive();
  turn();
}

/** A thread with nothing to do. */
function idle() {
  const doorbell = new Doorbell(workerData.doorbell, workerData.census);
  new ThreadLoop(doorbell, workerData.live).start();
  keepAlive();
  parentPort.postMessage('idle', []);
}

({ traffic, ringer, answerer, idle })[role]();
