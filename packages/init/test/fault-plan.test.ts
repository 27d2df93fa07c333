/** Tests how a fault plan is read: every fault, in XML and in HID, and errors with their places. */
import { readNode, writeHid } from '@ginit/core/config';
import { expect, test } from 'vitest';
import { FAULT_PLAN_SCHEMA, readFaultPlan } from '../src/command/sim/fault-plan.ts';

const EVERY_FAULT = `<faults>
  <crash component="init -> a" within="10" count="2" process="yes"/>
  <stall within="10" ms="5"/>
  <silence component="init -> a" within="10" ms="5"/>
  <yield within="10" ram="64K" caps="3"/>
  <clock-jump within="10" by_s="-5"/>
  <power-cut within="10" torn="yes"/>
  <io-error within="10" of="sync"/>
  <misdirect within="10" of="read"/>
  <corrupt within="10"/>
  <out-of-memory within="10"/>
  <bus-trouble within="10" lost="5" doubled="6" delayed="7" reordered="8" ms="9"/>
  <partition within="10" component="init -> a" ms="9"/>
  <out-of-quota within="10" of="caps"/>
  <config file="b.xml" within="10"/>
  <config file="a.xml" within="20"/>
  <config file="b.xml" within="30"/>
  <restart within="10"/>
  <kill component="init -> a" within="10"/>
  <hostile as="server" step="close" how="never" within="10"/>
</faults>`;

test('every fault can be planned, in XML and in HID alike', () => {
  const reading = readFaultPlan('plan.xml', EVERY_FAULT);
  if ('errors' in reading) throw new Error(reading.errors.join('\n'));
  const kinds = new Set(reading.plan.map(({ kind }) => kind));
  expect(kinds.size).toBe(FAULT_PLAN_SCHEMA.children.length);
  expect(reading.configFiles).toEqual(['b.xml', 'a.xml']);
  expect(reading.plan.filter(({ kind }) => kind === 'config')).toMatchObject([
    { index: 0, name: 'b.xml' },
    { index: 1, name: 'a.xml' },
    { index: 0, name: 'b.xml' },
  ]);
  expect(reading.plan.find(({ kind }) => kind === 'yield')).toMatchObject({ ram: 65_536, caps: 3 });
  expect(reading.plan.find(({ kind }) => kind === 'bus-trouble')).toEqual({
    kind: 'bus-trouble',
    lostPerMille: 5,
    doubledPerMille: 6,
    delayedPerMille: 7,
    reorderedPerMille: 8,
    delayMs: 1000,
    ms: 9,
    within: 10,
    count: 1,
  });
  const hid = writeHid(readNode(new TextEncoder().encode(EVERY_FAULT), { name: 'plan.xml' }));
  expect(hid).not.toContain('<');
  expect(readFaultPlan('plan.hid', hid)).toEqual(reading);
});

test('an error in a plan in HID has its place', () => {
  expect(readFaultPlan('plan.hid', 'faults\n+ silence | within: 10 | ms: no\n-\n')).toEqual({
    errors: ['plan.hid:2:26: attribute "ms" of <silence> is "no", which is not a whole number'],
  });
});
