/** The figures of docs/configuration.md are those of the code. */
import { COSTS, type Cost } from '@ginit/core/system';
import { Block } from '@ginit/core/block';
import { streamMemoryBytes } from '../../packages/core/src/packet-stream/index.ts';
import { expect, test } from 'vitest';
import {
  INIT_COST,
  initStartCost,
  PRESERVE_DEFAULT,
  readInitConfig,
  type StartNode,
} from '../../packages/init/src/model/index.ts';
import { readXml } from '@ginit/core/config';
import { systemConfig } from '../harness/ginit.ts';
import { ROOT_CAPS } from '../../packages/init/src/command/root-quota.ts';
import { read } from '../house/source-files.ts';

const MANUAL = read('docs/configuration.md').replaceAll(/\s+/g, ' ');
const inK = (bytes: number): string => `${bytes / 1024}K`;

test.each<[string, Cost]>([
  ['a session of PD or CPU', COSTS.pd],
  ['a session of PD or CPU', COSTS.cpu],
  ['of ROM (', COSTS.rom],
  ['of LOG, Timer', COSTS.log],
  ['of LOG, Timer', COSTS.timer],
  ['of LOG, Timer', COSTS.trace],
  ['any other session', COSTS.session],
  ['a running component', COSTS.thread],
  ['a process of its own, on top', COSTS.process],
  ['the object that stands for a component', COSTS.threadObject],
])('the table of costs says what %s costs', (what, { ram, caps }) => {
  const row = MANUAL.slice(MANUAL.indexOf(`| ${what}`)).split('| ');
  expect(row[2]?.trim()).toBe(`${caps}`);
  expect(row[3]?.trim()).toMatch(new RegExp(`^${inK(ram)}(,|$)`));
});

function nestedInit(): StartNode {
  const text = systemConfig('<start name="team"> <binary name="init"/> <config/> </start>');
  const [start] = readInitConfig(readXml(new TextEncoder().encode(text), 'config.xml')).config.starts;
  if (!start) throw new Error('there is no start node');
  return start;
}

test('the text says what a start costs, what a nested init needs, and what init keeps', () => {
  expect(INIT_COST.caps).toBe(6 + 6 + 3 + 2);
  expect(MANUAL).toContain(`| init has spent | 6 + 6 + 3 + 2 | 4K + 4K + 4K |`);
  const nested = initStartCost(nestedInit());
  expect(MANUAL).toContain(`out of its start node: ${nested.caps} capabilities and ${inK(nested.ram)}.`);
  const { caps, ram } = PRESERVE_DEFAULT;
  const least = `at least ${nested.caps + caps} capabilities and ${inK(nested.ram + ram)} more than its children`;
  expect(MANUAL).toContain(least);
  expect(MANUAL).toContain(`does not give ${caps} capabilities and ${inK(ram)} to its children`);
  expect(MANUAL).toContain(`The whole system has ${ROOT_CAPS.toLocaleString('en')} capabilities`);
});

test('the text says what a Block session costs', () => {
  const { defaultBulkBytes: bulkBytes, queueSlots, alignLog2 } = Block.members.tx;
  const ram = Block.cost.ram + streamMemoryBytes({ bulkBytes, queueSlots, alignLog2 });
  expect(MANUAL).toContain(`costs ${Block.cost.caps} capability and ${inK(ram)}: the object`);
});
