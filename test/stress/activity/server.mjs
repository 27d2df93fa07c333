/** A node serves others: the operations of `Peer`. */
import { RpcError } from '@ginit/core';
import { goOn } from './calls.mjs';

function sumOf(bytes) {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return sum;
}

/** Uses a thing that somebody has handed over, as often as it can; it is released afterwards. */
async function pokes(actor, thing, times) {
  let well = 0;
  for (let number = 0; number < times; number++) {
    const { ok, value } = await actor.tally.attempt('poke', 'thing of somebody', () => thing.poke(number));
    if (!ok) break;
    if (value !== number + 1)
      actor.tally.fail('poke', 'thing of somebody', `${number} came back as ${value}`);
    well++;
  }
  thing[Symbol.dispose]();
  return well;
}

/** The object of one session. */
export function peerObject(actor) {
  const { env } = actor;
  return {
    echo: (bytes) => bytes,
    later: async (ms) => {
      await env.timer.sleep(ms);
      return ms;
    },
    refuse: () => {
      throw new RpcError('Refused');
    },
    fail: () => {
      throw new Error('as asked for');
    },
    walk: (seed, depth) => goOn(actor, seed, depth),
    give: () => actor.own(),
    take: (thing) => actor.hold(thing),
    use: (thing, times) => pokes(actor, thing, times),
    reflect: (thing) => {
      // A capability that was passed on can be released at once.
      queueMicrotask(() => thing[Symbol.dispose]());
      return thing;
    },
    wake: (signal, times) => {
      for (let left = times; left > 0; left--) signal.submit();
      signal[Symbol.dispose]();
    },
    sum: (dataspace) => sumOf(dataspace.attach()),
  };
}
