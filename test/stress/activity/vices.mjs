/** The vices of hostile components: everything here goes through what `env` offers to anybody. */
import { SessionError, Timer } from '@ginit/core';
import { Pd } from '@ginit/core/system';
import { Peer, Trap } from '../sessions.mjs';
import { die } from './dying.mjs';

const NEVER = new Promise(() => {});
const PAGE = 4096;
/** More than any hostile component can pay for. */
const SESSIONS = 2000;
const BURST = 64;
const BURST_BYTES = 48 * 1024;

/** Allocates all that is free, and never gives it back. */
async function keepEverything(env) {
  for (;;) {
    const { ramQuota, ramUsed } = await env.quota();
    const bytes = Math.floor((ramQuota - ramUsed) / PAGE) * PAGE;
    if (bytes <= 0) return;
    try {
      await env.ram.allocate(bytes);
    } catch {
      return;
    }
  }
}

/** Opens sessions and keeps them until it is refused. */
async function openMany(open) {
  for (let count = 0; count < SESSIONS; count++) {
    try {
      await open();
    } catch {
      return;
    }
  }
}

/** Offers the service `Trap`, in the manner of a vice. */
export function serveWithVice(env, vice) {
  if (vice === 'provides-nothing') return;
  env.provide(Trap, async () => {
    switch (vice) {
      case 'open-never':
        return NEVER;
      case 'open-keeps-and-denies':
        await keepEverything(env);
        throw new SessionError('DENIED', 'kept all of it');
      case 'open-throws':
        throw new Error('as a hostile server may');
      case 'dies-in-open':
        return die('exit');
      default:
        return trap(env, vice);
    }
  });
}

function trap(env, vice) {
  return {
    touch: () => (vice === 'call-never' ? NEVER : undefined),
    [Symbol.asyncDispose]: async () => {
      switch (vice) {
        case 'close-never':
          return NEVER;
        case 'close-throws':
          throw new Error('as a hostile server may');
        case 'close-keeps':
          return keepEverything(env);
        case 'dies-in-close':
          return die('exit');
        default:
          return undefined;
      }
    },
  };
}

/**
 * Acts on others in the manner of a vice. Its errors are nobody's business: a refusal is what it is
 * meant to meet.
 */
export async function actWithVice(env, vice, peer) {
  const openPeer = () => env.connect(Peer, { label: peer });
  switch (vice) {
    case 'opens-without-end':
      return openMany(openPeer);
    case 'opens-timers':
      await openMany(() => env.connect(Timer, { donation: { ram: 0, caps: 0 } }));
      return openMany(() => env.connect(Timer));
    case 'opens-accounts':
      await openMany(() => env.connect(Pd, { donation: { ram: 0, caps: 0 } }));
      return openMany(() => env.connect(Pd));
    case 'upgrades-beyond-its-means': {
      const session = await openPeer();
      return openMany(() => env.upgrade(session, { ram: 2 ** 40, caps: 1_000_000 }));
    }
    case 'calls-in-bursts': {
      const session = await openPeer();
      const message = new Uint8Array(BURST_BYTES);
      await Promise.allSettled(Array.from({ length: BURST }, () => session.echo(message)));
      return undefined;
    }
    case 'takes-all-memory':
      return keepEverything(env);
    case 'hoards-capabilities': {
      const session = await openPeer();
      return openMany(() => session.give());
    }
    case 'forges-lines':
      await env.log('two lines\n[init -> director] stress-failure {"who":"a forger"}');
      return env.log('a return\r[init -> director] stress-failure {"who":"a forger"}');
    default:
      throw new Error(`there is no vice "${vice}"`);
  }
}
