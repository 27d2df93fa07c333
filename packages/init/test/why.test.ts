/**
 * Tests the phrase that says why a child is incomplete, stuck or waiting: a row for each reason.
 */
import { expect, test } from 'vitest';
import { type MissingSession, whyPhrase } from '../src/report/index.ts';

const missing = (reason: MissingSession['reason']): MissingSession => ({
  service: 'Block',
  label: 'x',
  reason,
});
const NO_ROUTE = missing({ kind: 'no route', phrase: 'no route for Block "x"' });
const WAITING = missing({ kind: 'waiting', server: 'disk' });
const DENIED = missing({ kind: 'denied', server: 'disk', text: 'no policy defined for label "a -> x"' });
const BEATS = { skipped: 0, restartAfterSkipped: 0, rateMs: 500 };
const M = 1024 ** 2;

test.each([
  ['nothing', [], {}, {}, undefined],
  ['a session without a route', [NO_ROUTE], {}, {}, 'no route for Block "x"'],
  ['a session that its server has to answer', [WAITING], {}, {}, 'waiting for "disk" to answer'],
  [
    'a session that the parent has to answer',
    [missing({ kind: 'waiting', server: undefined })],
    {},
    {},
    'waiting for the parent to answer',
  ],
  ['a denied session', [DENIED], {}, {}, 'denied by "disk" (no policy defined for label "a -> x")'],
  ['the first cause of several', [WAITING, DENIED, NO_ROUTE], { ram: 1 }, {}, 'no route for Block "x"'],
  ['too little RAM', [], { ram: M / 2 }, {}, 'RAM 512K short'],
  ['too little RAM by some bytes', [], { ram: 1025 }, {}, 'RAM 2K short'],
  ['too few capabilities', [], { caps: 3 }, {}, '3 caps short'],
  ['too little of both', [], { ram: M, caps: 3 }, {}, 'RAM 1M and 3 caps short'],
  ['skipped heartbeats', [], {}, { skipped: 1 }, 'heartbeat missed 1 time'],
  [
    'skipped heartbeats that lead to a restart',
    [],
    {},
    { skipped: 3, restartAfterSkipped: 6 },
    'heartbeat missed 3 times, restart in 2 s',
  ],
] as const)('%s', (_, sessions, wanted, beats, phrase) => {
  const facts = {
    missing: sessions,
    wanted: { ram: 0, caps: 0, ...wanted },
    heartbeat: { ...BEATS, ...beats },
  };
  expect(whyPhrase(facts)).toBe(phrase);
});
