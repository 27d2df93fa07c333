/**
 * Calls: answered at once, later, with an error; many side by side; and chains through others, in
 * circles too.
 */
import { randomFor } from '../plan/random.mjs';

const LATER_MS = 40;

/** One call of the kind that the step names; checks what comes back. */
async function one(actor, { call: kind, peer, bytes, seed }) {
  const { tally } = actor;
  switch (kind) {
    case 'echo': {
      const sent = new Uint8Array(bytes).fill(seed);
      const { ok, value } = await actor.call(peer, kind, (session) => session.echo(sent));
      const same = value?.length === bytes && value.every((byte) => byte === (seed & 0xff));
      if (ok && !same) tally.fail(kind, peer, `${bytes} bytes came back as ${value.length} others`);
      return;
    }
    case 'later': {
      const { ok, value } = await actor.call(peer, kind, (session) => session.later(seed % LATER_MS));
      if (ok && value !== seed % LATER_MS) tally.fail(kind, peer, `${seed % LATER_MS} came back as ${value}`);
      return;
    }
    case 'refuse':
    case 'fail': {
      const expected = kind === 'refuse' ? 'Refused' : 'InternalError';
      const { ok } = await actor.call(peer, kind, (session) => session[kind](), [expected]);
      if (ok) tally.fail(kind, peer, 'was answered without an error');
      return;
    }
    default:
      throw new Error(`there is no call "${kind}"`);
  }
}

export const call = one;

export async function concurrent(actor, step) {
  const numbers = Array.from({ length: 2 * step.count }, (_, index) => index);
  await Promise.all(numbers.map((number) => one(actor, { ...step, seed: step.seed + number })));
}

/**
 * Goes on with a walk that somebody has begun; the number of calls made. Ends where somebody is
 * gone, or rests.
 */
export async function goOn(actor, seed, depth) {
  if (depth === 0 || actor.resting) return 1;
  const random = randomFor(seed, depth);
  const next = random.below(2 ** 31);
  const { value = 0 } = await actor.call(random.pick(actor.peers), 'walk', (session) =>
    session.walk(next, depth - 1),
  );
  return 1 + value;
}

export async function walk(actor, { peer, seed, depth }) {
  const { ok, value } = await actor.call(peer, 'walk', (session) => session.walk(seed, depth));
  if (ok && (value < 1 || value > depth + 1)) actor.tally.fail('walk', peer, `${value} calls, ${depth} deep`);
}
