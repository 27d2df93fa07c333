/**
 * One end of the ring of ring-killed.test.ts, as a process: it sends frames as fast as they go, and
 * looks whether those that come are whole and in order. In turns it sleeps as a parked thread does
 * and as one with a live loop. Runs the compiled package.
 */
import { futexWaitAsync, SharedMemory } from 'sharedarraybuffer-polyfill';

const MEMORY = 3;
const [library, endText, layoutText] = process.argv.slice(2);
const { Bell, Doorbell, wakeScheduled } = await import(`${library}/wire/doorbell.js`);
const { RingCarrier } = await import(`${library}/thread/ring/ring-carrier.js`);
const layout = JSON.parse(layoutText);
const end = Number(endText);

const FRAME_BYTES_MAX = 700;
const WAITING_MAX = 4;
const PARK_MS = 1000;
/** So often in a row nothing may come: a process takes its time to start. */
const VAIN_MAX = 30;

const { buffer, byteOffset } = SharedMemory.open(MEMORY, layout.sizeBytes);
const place = ({ at, bytes }) => ({ buffer, byteOffset: byteOffset + at, byteLength: bytes });
const doorbell = new Doorbell(place(layout.doorbells[end]), place(layout.censuses[end]));
doorbell.openAbroad(futexWaitAsync);

let state = 0;
function random(limit) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

/** A frame says its number and its length, and all its other bytes follow from these. */
function frameOf(number) {
  const frame = new Uint8Array(8 + random(FRAME_BYTES_MAX)).fill((number * 7 + 1) & 255);
  const words = new Uint32Array(frame.buffer, 0, 2);
  words[0] = number;
  words[1] = frame.byteLength;
  return frame;
}

function check(frame, number) {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const found = view.getUint32(0, true);
  if (found !== number) throw new Error(`frame ${found} where ${number} is next`);
  if (view.getUint32(4, true) !== frame.byteLength) throw new Error(`frame ${number} has lost its end`);
  const wrong = frame.subarray(8).findIndex((byte) => byte !== ((number * 7 + 1) & 255));
  if (wrong !== -1) throw new Error(`frame ${number} is wrong at byte ${8 + wrong}`);
}

/** One life of the ring, until its other end is closed. */
class Life {
  sent = 0;
  received = 0;
  closed = false;
  error;
  #vain = 0;
  #carrier = new RingCarrier(
    { end, memory: place(layout.channel), peerSlot: layout.slot },
    {
      travel: { sharing: {}, send: () => undefined, receive: () => undefined, close: () => {} },
      peerBell: new Bell(place(layout.doorbells[1 - end]), place(layout.censuses[1 - end]), true),
      wake: () => doorbell.bell.ring(layout.slot),
      finished: () => {},
    },
  );

  constructor() {
    this.#carrier.closed(() => {
      this.closed = true;
    });
    this.#carrier.receive((frame) => {
      try {
        check(frame, this.received++);
      } catch (error) {
        this.error ??= error.message;
      }
    });
  }

  /** Does what is to be done. */
  turn() {
    doorbell.take(() => this.#carrier.drain());
    for (let burst = 1 + random(20); burst > 0 && this.#carrier.waitingFrames < WAITING_MAX; burst--) {
      this.#carrier.send(frameOf(this.sent++), []);
    }
    wakeScheduled();
    return this.#carrier.waitingFrames >= WAITING_MAX;
  }

  park() {
    if (doorbell.park(PARK_MS)) this.#vain = 0;
    else if (++this.#vain === VAIN_MAX) this.error ??= 'nobody rings';
  }
}

function parked(life) {
  while (!life.closed && !life.error) if (life.turn()) life.park();
}

async function live(life) {
  while (!life.closed && !life.error) {
    if (life.turn()) await doorbell.wait();
    else await new Promise((resolve) => void setImmediate(resolve));
  }
}

process.on('message', async ({ seed, park }) => {
  state = seed;
  const life = new Life();
  if (park) parked(life);
  else await live(life);
  const { sent, received, error } = life;
  process.send({ over: { sent, received, error } });
});
process.send('ready');
