/** Tests nkeys against the library of NATS, and the clock of a node on the bus. */
import fc from 'fast-check';
import { nkeys } from 'nats';
import { describe, expect, test } from 'vitest';
import { Identity, isSignedBy, newSeed } from '../src/platform/nats/keys.ts';
import {
  decodePublicKey,
  decodeSeed,
  encodePublicKey,
  isPublicKey,
  NkeyError,
} from '../src/platform/nats/nkey.ts';
import { SystemClock } from '../src/platform/nats/system-clock.ts';

const chance = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe('nkeys', () => {
  test('are those of the library of NATS, and so are signatures', () => {
    fc.assert(
      fc.property(chance, fc.uint8Array(), (bytes, message) => {
        const seed = newSeed(bytes);
        const theirs = nkeys.fromSeed(new TextEncoder().encode(seed));
        const ours = new Identity(seed);
        expect(ours.publicKey).toBe(theirs.getPublicKey());
        expect(theirs.verify(message, ours.sign(message))).toBe(true);
        expect(isSignedBy(ours.publicKey, message, theirs.sign(message))).toBe(true);
        expect(decodeSeed(seed)).toEqual(bytes);
        expect(encodePublicKey(decodePublicKey(ours.publicKey))).toBe(ours.publicKey);
      }),
      { numRuns: 5 },
    );
  });

  test('with any letter changed, and keys of other kinds, are refused, and errors do not quote them', () => {
    const seed = newSeed(new Uint8Array(32).fill(7));
    const { publicKey } = new Identity(seed);
    for (let at = 0; at < publicKey.length; at++) {
      const changed = `${publicKey.slice(0, at)}${publicKey[at] === 'A' ? 'B' : 'A'}${publicKey.slice(at + 1)}`;
      expect(isPublicKey(changed), changed).toBe(false);
    }
    const account = new TextDecoder().decode(nkeys.createAccount().getSeed());
    for (const text of [
      '',
      'U',
      publicKey.slice(1),
      `${publicKey}A`,
      seed,
      account,
      publicKey.toLowerCase(),
      `${publicKey}\n`,
    ]) {
      expect(isPublicKey(text), text).toBe(false);
    }
    for (const text of ['', publicKey, account, `${seed}A`, seed.slice(2)]) {
      expect(() => new Identity(text)).toThrow(NkeyError);
      if (text !== '') expect(() => new Identity(text)).not.toThrow(text);
    }
  });
});

test('the clock goes on while the machine is suspended, whatever the wall clock does', () => {
  const now = { monotonic: 1000, wall: 5_000_000, boot: 100_000 };
  const pass = (ms: number): void => {
    now.monotonic += ms;
    now.wall += ms;
    now.boot += ms;
  };
  const clock = new SystemClock({
    monotonicMs: () => now.monotonic,
    wallMs: () => now.wall,
    sinceBootMs: () => now.boot,
  });
  const startUs = clock.nowUs();
  const passedMs = (): number => (clock.nowUs() - startUs) / 1000;
  pass(10_000);
  expect(passedMs()).toBe(10_000);
  // Somebody sets the wall clock, forward and back.
  now.wall += 3_600_000;
  expect(passedMs()).toBe(10_000);
  now.wall -= 7_200_000;
  expect(passedMs()).toBe(10_000);
  // A suspension of 20 s: the monotonic clock stands still meanwhile.
  now.wall += 20_000;
  now.boot += 20_000;
  expect(passedMs()).toBe(30_000);
  pass(500);
  expect(passedMs()).toBe(30_500);
});
