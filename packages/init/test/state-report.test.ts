/**
 * Tests the text of the state report: every attribute of `<report>`, both vocabularies, and the
 * order of Genode's init.
 */
import { writeXml } from '@ginit/core/config';
import { expect, test } from 'vitest';
import type { ReportOptions } from '../src/model/index.ts';
import { type ChildReport, type SandboxReport, type SessionPhase, stateNode } from '../src/report/index.ts';

const M = 1024 ** 2;
const NOTHING = { ram: 0, caps: 0 };
const OPTIONS: ReportOptions = {
  ids: false,
  requested: false,
  provided: false,
  sessionArgs: false,
  childRam: false,
  childCaps: false,
  initRam: false,
  initCaps: false,
  delayMs: 100,
  bufferBytes: 4096,
  vocabulary: '24.08',
  why: false,
};
const ACCOUNT = { ramQuota: 8 * M, ramUsed: 3 * M + 1, capQuota: 100, capUsed: 30 };

function child(parts: Partial<ChildReport> = {}): ChildReport {
  return {
    name: 'disk',
    binary: 'ram_block',
    version: undefined,
    id: 1,
    incomplete: false,
    exited: undefined,
    skippedHeartbeats: 0,
    why: undefined,
    assigned: { ram: 8 * M, caps: 120 },
    account: ACCOUNT,
    wanted: NOTHING,
    requested: [],
    provided: [],
    ...parts,
  };
}

const session = (phase: SessionPhase) => ({
  service: 'Block',
  label: 'tool -> data',
  phase,
  donation: { ram: 4096 + 1024, caps: 2 },
  args: { tx_buf_size: 1024, writeable: true, root: '/a "b"' },
});

const report = (state: Partial<SandboxReport>, options: Partial<ReportOptions> = {}): string =>
  writeXml(
    stateNode({ version: undefined, account: ACCOUNT, children: [], ...state }, { ...OPTIONS, ...options }),
  );

test('<report> without attributes lists the children', () => {
  const children = [child({ version: '2' }), child({ name: 'tool', binary: 'fs_tool', incomplete: true })];
  expect(report({ children })).toBe(`<state>
  <child name="disk" binary="ram_block" version="2"/>
  <child name="tool" binary="fs_tool" state="incomplete"/>
</state>
`);
});

test('the version of the config stands in the report', () => {
  expect(report({ version: '17' })).toBe('<state version="17"/>\n');
});

test.each([
  ['ids', { id: 7 }, { ids: true }, 'id="7"'],
  ['an exit value, also 0', { exited: 0 }, {}, 'exited="0"'],
  ['skipped heartbeats', { skippedHeartbeats: 3 }, {}, 'skipped_heartbeats="3"'],
  ['why', { why: 'RAM 4K short' }, { why: true }, 'why="RAM 4K short"'],
  [
    'everything in its order',
    { version: 'x', id: 2, incomplete: true, exited: 1, skippedHeartbeats: 4, why: 'b' },
    { ids: true, why: true },
    'version="x" id="2" state="incomplete" exited="1" skipped_heartbeats="4" why="b"',
  ],
] as const)('a child has an attribute for %s', (_, parts, options, text) => {
  expect(report({ children: [child(parts)] }, options)).toBe(
    `<state>\n  <child name="disk" binary="ram_block" ${text}/>\n</state>\n`,
  );
});

test('without the attributes ids and why of <report> neither is there', () => {
  expect(report({ children: [child({ why: 'b' })] })).not.toMatch(/id=|why=/);
});

test('init_ram and init_caps show the account of init, in bytes with K, M or G where they divide', () => {
  expect(report({}, { initRam: true, initCaps: true })).toBe(`<state>
  <ram quota="8M" used="3145729" avail="5242879"/>
  <caps quota="100" used="30" avail="70"/>
</state>
`);
});

test('child_ram and child_caps show what a child was assigned, has, and asks for', () => {
  const options = { childRam: true, childCaps: true };
  const children = [child(), child({ name: 'cache', wanted: { ram: 512 * 1024, caps: 4 } })];
  expect(report({ children }, options)).toBe(`<state>
  <child name="disk" binary="ram_block">
    <ram assigned="8M" quota="8M" used="3145729" avail="5242879"/>
    <caps assigned="120" quota="100" used="30" avail="70"/>
  </child>
  <child name="cache" binary="ram_block">
    <ram assigned="8M" quota="8M" used="3145729" avail="5242879" requested="512K"/>
    <caps assigned="120" quota="100" used="30" avail="70" requested="4"/>
  </child>
</state>
`);
});

test('a child without an account shows what it is assigned', () => {
  const children = [child({ account: undefined })];
  expect(report({ children }, { childRam: true, childCaps: true })).toBe(`<state>
  <child name="disk" binary="ram_block">
    <ram assigned="8M"/>
    <caps assigned="120"/>
  </child>
</state>
`);
});

test('requested and provided list sessions, in the vocabulary of 24.08 unless told', () => {
  const children = [
    child({ requested: [session('open')], provided: [session('requested'), session('closing')] }),
  ];
  expect(report({ children }, { requested: true, provided: true })).toBe(
    `<state>
  <child name="disk" binary="ram_block">
    <requested>
      <session service="Block" label="tool -> data" state="CAP_HANDED_OUT" ram="5K" caps="2"/>
    </requested>
    <provided>
      <session service="Block" label="tool -> data" state="CREATE_REQUESTED" ram="5K" caps="2"/>
      <session service="Block" label="tool -> data" state="CLOSE_REQUESTED" ram="5K" caps="2"/>
    </provided>
  </child>
</state>
`.replaceAll('label="tool -> data"', 'label="tool -&gt; data"'),
  );
});

test('lists are there when they are empty, too', () => {
  expect(report({ children: [child()] }, { requested: true, provided: true })).toBe(`<state>
  <child name="disk" binary="ram_block">
    <requested/>
    <provided/>
  </child>
</state>
`);
});

test('session_args shows the arguments of each session, its quota and label first', () => {
  const options = { requested: true, sessionArgs: true, vocabulary: '26.04' } as const;
  expect(report({ children: [child({ requested: [session('open')] })] }, options)).toBe(`<state>
  <child name="disk" binary="ram_block">
    <requested>
      <session name="Block" state="OK" label="tool -&gt; data" ram="5K" caps="2">
        <args>ram_quota=5120, cap_quota=2, label="tool -&gt; data", tx_buf_size=1024, writeable=yes, root="/a \\"b\\""</args>
      </session>
    </requested>
  </child>
</state>
`);
});

const STATES: readonly (readonly [SessionPhase, string, string])[] = [
  ['requested', 'CREATE_REQUESTED', 'CREATING'],
  ['denied', 'SERVICE_DENIED', 'DENIED'],
  ['short-of-ram', 'INSUFFICIENT_RAM_QUOTA', 'INSUFFICIENT_RAM'],
  ['short-of-caps', 'INSUFFICIENT_CAP_QUOTA', 'INSUFFICIENT_CAP'],
  ['available', 'AVAILABLE', 'AVAIL'],
  ['open', 'CAP_HANDED_OUT', 'OK'],
  ['upgrading', 'UPGRADE_REQUESTED', 'UPGRADING'],
  ['closing', 'CLOSE_REQUESTED', 'CLOSING'],
  ['closed', 'CLOSED', 'CLOSED'],
];

test.each(STATES)('a session that is %s has the state %s in 24.08 and %s in 26.04', (phase, old, today) => {
  const children = [child({ provided: [session(phase)] })];
  expect(report({ children }, { provided: true })).toContain(
    `service="Block" label="tool -&gt; data" state="${old}"`,
  );
  expect(report({ children }, { provided: true, vocabulary: '26.04' })).toContain(
    `name="Block" state="${today}" label="tool -&gt; data"`,
  );
});
