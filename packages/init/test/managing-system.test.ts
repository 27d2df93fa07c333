/**
 * Tests which PD sessions may say that they manage the system, and what init logs with `verbose`.
 */
import { readXml } from '@ginit/core/config';
import { expect, test } from 'vitest';
import { readInitConfig } from '../src/model/index.ts';
import { managingArguments } from '../src/sandbox/managing-system.ts';
import { announcementText, childText, parentServicesText } from '../src/sandbox/verbose.ts';

test.each([
  ['the account of a child that manages', {}, true, true, { managing_system: true }],
  ['the account of a child that does not', {}, false, true, {}],
  ['a request of a child that manages', { managing_system: true }, true, false, { managing_system: true }],
  ['a request that does not say so', { other: 1 }, true, false, { other: 1 }],
  ['a request that says no', { managing_system: false }, true, false, {}],
  ['a request of a child that may not', { managing_system: true, other: 1 }, false, false, { other: 1 }],
] as const)('%s', (_, args, managingSystem, own, expected) => {
  expect(managingArguments(args, { managingSystem }, own)).toEqual(expected);
});

test('verbose lists the services of the parent, the parameters of a child, and announcements', () => {
  const { config } = readInitConfig(
    readXml(
      `<config prio_levels="4"> <parent-provides> <service name="ROM"/> <service name="PD"/> </parent-provides>
        <start name="disk" ram="8M" caps="100" priority="-1"> <binary name="ram_block"/>
          <provides> <service name="Block"/> </provides> </start> </config>`,
      'config.xml',
    ),
  );
  expect(parentServicesText(config)).toBe('parent provides\n  service "ROM"\n  service "PD"');
  expect(config.starts.map(childText)).toEqual([
    `child "disk"
  RAM quota:  8M
  cap quota:  100
  ELF binary: ram_block
  priority:   1
  provides service Block`,
  ]);
  expect(announcementText('disk', 'Block')).toBe('child "disk" announces service "Block"');
});
