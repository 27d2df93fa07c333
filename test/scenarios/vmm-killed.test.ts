/**
 * An unmodified Debian writes through the cache while a component, or all of ginit, is killed at
 * random: what the guest has synchronised is on the disk, and the file system is sound. Each round
 * goes on from the same saved state with the same disk, so no round has to boot.
 */
import { copyFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type GinitRun, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { mustRun, runProgram } from '../harness/programs.ts';
import { BOOT_MS, SerialPerson } from '../harness/serial-person.ts';
import {
  fileDisk,
  lacksDebian,
  makeDisk,
  placeDebian,
  startV86System,
  v86System,
} from '../harness/v86-system.ts';

const ROUNDS = 12;
const SEED = 20_140_212;
/** What is killed. */
const VICTIMS = ['vmm', 'cache', 'disk', 'ginit'] as const;
type Victim = (typeof VICTIMS)[number];
/** The latest time of a kill, once the guest writes. */
const KILL_MS = 2500;
/** A restored disk that has lost its journal's owner is recovered first: e2fsck says so by 1. */
const RECOVERED = 1;

const SYSTEM = v86System(
  [
    {
      attributes: 'on_stop="kill"',
      config: '<state file="/linux.state" restore="no"/>',
      disk: 'cache',
      routes: '<service name="File_system"> <child name="fs"/> </service>',
      ram: '96M',
    },
  ],
  `${fileDisk('disk')} ${fileDisk('states')}
  <start name="cache" ram="16M"> <binary name="blockcache"/> <provides> <service name="Block"/> </provides>
    <config mode="write-back"/>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="fs" ram="16M"> <binary name="rumpfs"/> <provides> <service name="File_system"/> </provides>
    <config> <default-policy writeable="yes"/> </config>
    <route> <service name="Block"> <child name="states"/> </service> <any-service> <parent/> </any-service> </route>
  </start>`,
);
/** Writers who say of each file when it is synchronised. */
const WRITE = String.raw`for w in 1 2 3; do (n=0; while n=$((n + 1)); do dd if=/dev/urandom of=w$w.$n bs=4k count=$((n % 20 + 1)) conv=fsync 2> /dev/null; echo "synced w$w.$n $(md5sum < w$w.$n)"; done) & done`;

/** Numbers from 0 to below 1, the same ones for a seed (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test.skipIf(lacksDebian !== undefined)(
  `what a guest has synchronised is on its disk, whoever is killed and when (${lacksDebian ?? 'with e2fsprogs'})`,
  async (context) => {
    skipIfLong(context);
    using place = new Workplace();
    const problem = await placeDebian(place);
    if (problem !== undefined) context.skip(`the guest is not to be had: ${problem}`);
    process.env['GINIT_RUNTIME_DIR'] = place.path('s');
    try {
      await save(place);
      const random = chance(SEED);
      let synced = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const victim = VICTIMS[round % VICTIMS.length] ?? 'ginit';
        const what = `round ${round}: ${victim}`;
        for (const name of ['disk', 'states'])
          copyFileSync(place.path(`${name}.kept`), place.path(`${name}.img`));
        synced += await killed(place, victim, random() * KILL_MS, what);
      }
      // Else nothing would have been looked at.
      expect(synced).toBeGreaterThan(ROUNDS);
    } finally {
      delete process.env['GINIT_RUNTIME_DIR'];
    }
  },
  4 * BOOT_MS + ROUNDS * BOOT_MS,
);

/** Boots the guest, saves it in the directory that it writes in, and keeps its disk. */
async function save(place: Workplace): Promise<void> {
  await makeDisk(place, 'disk', 'ext4', '32M');
  await makeDisk(place, 'states', 'ext2', '160M');
  place.write('config.xml', SYSTEM);
  const system = await startV86System(place);
  const person = new SerialPerson(place.path('vmm.sock'));
  await person.run('mount /dev/vda /mnt && cd /mnt');
  expect(await place.run('vm', 'save', 'vmm')).toMatchObject({ code: 0, stderr: '' });
  system.child.kill('SIGTERM');
  expect((await system.finished).code).toBe(0);
  for (const name of ['disk', 'states']) copyFileSync(place.path(`${name}.img`), place.path(`${name}.kept`));
  place.write('config.xml', SYSTEM.replace('restore="no"', 'restore="yes"'));
}

/** One round; the result is how many files the guest had synchronised. */
async function killed(place: Workplace, victim: Victim, afterMs: number, what: string): Promise<number> {
  const system = await startV86System(place);
  await system.until('the guest goes on from the state');
  const person = new SerialPerson(place.path('vmm.sock'));
  person.type('\n');
  await person.until(/# \S*$/);
  person.type(`${WRITE}\n`);
  await person.until(/synced w1\.1 [0-9a-f]{32}/);
  await sleep(afterMs);
  await kill(place, system, victim);
  const { stderr } = await system.finished;
  expect(await system.leftOver(), what).toEqual([]);

  const disk = place.path('disk.img');
  const recovery = await runProgram('e2fsck', ['-p', disk]);
  expect([0, RECOVERED], `${what}\n${recovery.text}\n${stderr}`).toContain(recovery.status);
  await mustRun('e2fsck', ['-fn', disk]);
  const files = [...person.seen.matchAll(/synced (w\d\.\d+) ([0-9a-f]{32}) {2}-\r$/gm)];
  for (const [, name = '', sum = ''] of files) {
    await mustRun('debugfs', ['-R', `dump /${name} ${place.path('file')}`, disk]);
    expect(await mustRun('md5sum', [place.path('file')]), `${what}: ${name}`).toContain(sum);
  }
  return files.length;
}

/** All of ginit dies at once; of a component that dies the others are stopped in order. */
async function kill(place: Workplace, system: GinitRun, victim: Victim): Promise<void> {
  if (victim === 'ginit') return system.killGroup();
  expect(await place.run('kill', victim)).toMatchObject({ code: 0 });
  system.child.kill('SIGTERM');
}
