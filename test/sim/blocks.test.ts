/** Tests that every kind of wrong Block server is found, and that right ones are not blamed. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { CORE_URL, type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';

const COMPONENTS = new URL('components/', import.meta.url).pathname;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  for (const name of ['lying-block.mjs', 'raw-block.mjs', 'block-worker.mjs']) {
    place.write(name, readFileSync(`${COMPONENTS}${name}`, 'utf8').replace(`'@ginit/core'`, `'${CORE_URL}'`));
  }
  place.write('disk.img', new Uint8Array(64 * 1024));
  place.write('cut.xml', '<faults> <power-cut within="800"/> </faults>');
});
afterEach(() => place[Symbol.dispose]());

const route = (server: string): string =>
  `<route> <service name="Block"> <child name="${server}"/> </service> <any-service> <parent/> </any-service> </route>`;

const server = (name: string, binary: string, more: string): string =>
  `<start name="${name}" ram="8M"> <binary name="${binary}"/> <restart max="9" period_s="100"/>
    <provides> <service name="Block"/> </provides> ${more} </start>`;

const GRANTED = '<host> <file path="disk.img" access="rw"/> </host>';
const fileBlock = server('disk', 'file_block', `${GRANTED} <config file="disk.img" writeable="yes"/>`);
const lying = (fault: string): string =>
  server('disk', './lying-block.mjs', `${GRANTED} <config file="disk.img" fault="${fault}"/>`);

const worker = (name: string, at: string, attributes: string, exit = ''): string =>
  `<start name="${name}"> <binary name="./block-worker.mjs"/> ${exit} <config ${attributes}/> ${route(at)} </start>`;
const LAST = '<exit propagate="yes"/>';

async function simulate(starts: string, ...args: string[]): Promise<FinishedRun> {
  place.write('config.xml', systemConfig(starts));
  return place.simulate(...args, 'config.xml');
}

const only = worker('worker', 'disk', 'rounds="200" depth="2" blocks="4" label="data"', LAST);

test.each([
  ['returns what it read first', 'stale', /which (was there before|nobody has written there); legal/],
  [
    'does two writes in the wrong order',
    'swapped',
    /it gets [0-9a-f]{8} \([^)]*\), which \[init -> worker\] wrote at 0\.\d{6}/,
  ],
  ['returns what nobody wrote', 'garbage', /which nobody has written there/],
])('it is found when a device %s', async (_what, fault, how) => {
  const { code, stderr } = await simulate(lying(fault) + only);
  const [line = ''] = /^ginit: sim: seed 1: FAILED: .*$/m.exec(stderr) ?? [];
  expect(line).toMatch(/\[init -> worker\] reads block \d of its Block session "data" with \[init -> disk\]/);
  expect(line).toMatch(/and gets what cannot be there; it gets [0-9a-f]{8} \(([0-9a-f]{2} ){16}…\)/);
  expect(line).toMatch(how);
  expect(line).toMatch(/legal would be [0-9a-f]{8}, which \[init -> worker\] wrote at 0\.\d{6}/);
  expect(code).toBe(3);
});

test.for([
  ['acknowledges a SYNC and does nothing', 'unsynced'],
  ['carries out writes after the SYNC that covers them', 'torn'],
] as const)('it is found once the power is cut when a device %s', async ([_what, fault], context) => {
  skipIfLong(context, fault === 'torn');
  const starts = lying(fault) + only;
  const calm = await simulate(starts, '--seeds', '1..3');
  expect(calm.code, calm.stderr).toBe(0);
  const cut = await simulate(starts, '--seeds', '1..30', '--any-exit', '--faults', 'cut.xml');
  expect(cut.stderr).toMatch(
    /FAILED: \[init -> worker\] reads block \d.*; at [\d.]+ s, after the last fault/,
  );
  expect(cut.stderr).toMatch(/before a SYNC|may have written|wrote at/);
  expect(cut.code).toBe(3);
});

test('a server that does not tell which device it serves is checked as well', async () => {
  const raw = (stale: string): string => server('disk', './raw-block.mjs', `<config stale="${stale}"/>`);
  const right = await simulate(raw('no') + only);
  expect(right.code, right.stderr).toBe(0);
  const wrong = await simulate(raw('yes') + only);
  expect(wrong.stderr).toMatch(/FAILED: \[init -> worker\] reads block/);
});

describe('a right system is not blamed', () => {
  const one = 'salt="5" rounds="250" blocks="60" trims="yes"';
  const two = 'salt="6" rounds="250" blocks="60"';
  const cache = server('cache', 'blockcache', `<config size="64K"/> ${route('disk')}`);
  const parts = server(
    'parts',
    'part_block',
    `<config> <policy label_prefix="one" partition="1" writeable="yes"/>
      <policy label_prefix="two" partition="2" writeable="yes"/> </config> ${route('disk')}`,
  );

  /** Partition 1: blocks 8 to 67, partition 2: blocks 68 to 127. */
  function partitioned(): Uint8Array {
    const image = new Uint8Array(64 * 1024);
    const view = new DataView(image.buffer);
    for (const [entry, first] of [8, 68].entries()) {
      view.setUint8(446 + entry * 16 + 4, 0x83);
      view.setUint32(446 + entry * 16 + 8, first, true);
      view.setUint32(446 + entry * 16 + 12, 60, true);
    }
    view.setUint16(510, 0xaa55, true);
    return image;
  }

  const systems: [name: string, starts: string][] = [
    [
      'two clients of one device in memory',
      server('disk', 'ram_block', '<config size="64K"/>') +
        worker('one', 'disk', one, LAST) +
        worker('two', 'disk', two),
    ],
    [
      'two clients of a cache',
      fileBlock + cache + worker('one', 'cache', one, LAST) + worker('two', 'cache', two),
    ],
    [
      'one client of a cache, and one below it',
      fileBlock + cache + worker('one', 'cache', one, LAST) + worker('two', 'disk', two),
    ],
    [
      'two partitions, each with a client',
      fileBlock + parts + worker('one', 'parts', one, LAST) + worker('two', 'parts', two),
    ],
  ];

  test.for(systems)('%s, with crashes and power cuts', async ([name, starts], context) => {
    skipIfLong(context, name === 'two clients of a cache' || name.startsWith('two partitions'));
    place.write('disk.img', partitioned());
    place.write(
      'all.xml',
      `<faults> <power-cut within="1500" torn="yes"/> <power-cut within="2500"/> <crash within="1500" count="3"/>
      <stall ms="50" within="2000"/> </faults>`,
    );
    const run = await simulate(starts, '--seeds', '1..8', '--any-exit', '--faults', 'all.xml');
    expect(run.code, run.stderr).toBe(0);
  });
});
