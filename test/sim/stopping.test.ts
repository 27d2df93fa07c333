/**
 * Tests systems that are stopped while they start: no component crashes, in any order of events.
 */
import { cpSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

const IMAGE = new URL('../../examples/disk.img', import.meta.url).pathname;
const only = (service: string, child: string): string =>
  `<route> <service name="${service}"> <child name="${child}"/> </service> <any-service> <parent/> </any-service> </route>`;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  cpSync(IMAGE, place.path('disk.img'));
  place.write(
    'quitter.mjs',
    `import { component } from '${CORE_URL}';
    export default component(async (env) => { await env.timer.sleep(Number(env.config.node.value('ms') ?? 1)); env.exit(0); });`,
  );
});
afterEach(() => place[Symbol.dispose]());

const system = (ms: number): string =>
  systemConfig(`<start name="disk" ram="8M">
    <binary name="file_block"/> <provides> <service name="Block"/> </provides>
    <host> <file path="disk.img" access="rw"/> </host>
    <config file="disk.img" block_size="512" writeable="yes"/>
  </start>
  <start name="partitions">
    <binary name="part_block"/> <provides> <service name="Block"/> </provides>
    <config> <policy label_prefix="fs" partition="1" writeable="yes"/> </config> ${only('Block', 'disk')}
  </start>
  <start name="fs" ram="32M">
    <binary name="rumpfs"/> <provides> <service name="File_system"/> </provides>
    <config fs="auto"/> ${only('Block', 'partitions')}
  </start>
  <start name="quitter"> <binary name="./quitter.mjs"/> <exit propagate="yes"/> <config ms="${ms}"/> </start>`);

// With these seeds it waits for its Block session, reads the superblock, and has mounted.
test.each([1, 2, 3])(
  'a file system whose block server ends while it mounts does not crash: seed %i',
  async (seed) => {
    place.write('config.xml', system(1));
    const { code, stderr } = await place.simulate('--seed', String(seed), 'config.xml');
    expect(stderr).not.toContain('crashed');
    expect(code).toBe(0);
  },
);
