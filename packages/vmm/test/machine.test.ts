/** Machines with guests of a few bytes, on the engine v86. */
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type BlockBackend, rejected } from '@ginit/core/block';
import { RamDisk } from '../../block/src/ram_block/ram-disk.ts';
import { MachineSystem, type MachineSurroundings, ManualClock } from './machine-system.ts';
import { bzImageOf, elfOf, Program } from './tiny-guest.ts';

const HELLO = new Program().print('hello\n').halt().kernel();

/** A disk of 64 blocks, some of whose methods are others. */
function diskWith(others: Partial<BlockBackend> = {}): BlockBackend {
  const disk = new RamDisk(new Uint8Array(64 * 512), 512);
  return {
    info: disk.info,
    read: (...request) => disk.read(...request),
    write: (...request) => disk.write(...request),
    sync: () => {},
    trim: () => {},
    writeZeroes: () => {},
    ...others,
  };
}

/** A disk that counts how often it is synchronised. */
function countedDisk() {
  const seen = { synchronised: 0 };
  return { seen, disk: diskWith({ sync: () => void seen.synchronised++ }) };
}

describe('a machine', () => {
  test('runs a kernel, shows what it writes, and ends with it', async () => {
    const roms = { linux: bzImageOf(gzipSync(HELLO)) };
    const system = new MachineSystem('<kernel rom="linux"/> <serial/>', { roms });
    const { lines } = await system.ended();
    expect(system.output).toBe('hello\n');
    expect(lines.slice(0, 2)).toEqual([
      expect.stringMatching(/v86 0\.5\.462, 1 processor, 1\d MiB/),
      expect.stringContaining('the guest has stopped its processor'),
    ]);
  });

  test('gives the guest what is typed', async () => {
    const roms = { linux: new Program().print('>').echoUntil('.').halt().kernel() };
    const system = new MachineSystem('<kernel rom="linux"/> <serial/>', { roms });
    await system.until('>');
    system.type('some words, more than sixteen bytes.');
    await system.ended();
    expect(system.output).toBe('>some words, more than sixteen bytes.');
  });

  test('that is stopped synchronises its disks', async () => {
    const roms = { linux: new Program().print('up').echoUntil('.').halt().kernel() };
    const { seen, disk } = countedDisk();
    const system = new MachineSystem('<kernel rom="linux"/> <disk label="root" writeable="yes"/> <serial/>', {
      roms,
      disks: { root: disk },
    });
    await system.until('up');
    await system.stop();
    expect(seen.synchronised).toBe(1);
  });

  test('pays for all that is kept for its guest', async () => {
    const kernel = elfOf([
      { address: 0x10_0000, bytes: Uint8Array.from([0xfa, 0xf4, ...new Uint8Array(5e6)]) },
    ]);
    const roms = { linux: bzImageOf(gzipSync(kernel)), initrd: new Uint8Array(3e6) };
    const config = '<kernel rom="linux"/> <initrd rom="initrd"/>';
    const { lines } = await new MachineSystem(config, { roms, ram: '40M' }).ended();
    const mebibytes = Number(/, (\d+) MiB/.exec(lines[0] ?? '')?.[1]);
    // Of 40 MiB, 2 are the monitor's.
    expect(mebibytes).toBeGreaterThan(25);
    expect(mebibytes).toBeLessThanOrEqual(30);
  });

  test('starts with an IDE disk that fails', async () => {
    const failing = diskWith({ read: () => rejected('InputOutput') });
    const system = new MachineSystem(
      '<kernel rom="linux"/> <disk label="root" model="ide" writeable="yes"/> <serial/>',
      { roms: { linux: HELLO }, disks: { root: failing } },
    );
    await system.ended();
    expect(system.output).toBe('hello\n');
  });

  test('whose terminal takes nothing ends all the same, after its disks were synchronised', async () => {
    const { seen, disk } = countedDisk();
    const roms = { linux: new Program().print('x'.repeat(20_000)).halt().kernel() };
    const system = new MachineSystem('<kernel rom="linux"/> <disk label="root" writeable="yes"/> <serial/>', {
      roms,
      disks: { root: disk },
      takesOutput: false,
    });
    await system.ended();
    expect(seen.synchronised).toBe(1);
  });

  test('whose disk cannot be synchronised ends with 1, after all others were', async () => {
    const { seen, disk: good } = countedDisk();
    const disks = { bad: diskWith({ sync: () => rejected('InputOutput') }), good };
    const config =
      '<kernel rom="linux"/> <disk label="bad" writeable="yes"/> <disk label="good" writeable="yes"/>';
    const system = new MachineSystem(config, { roms: { linux: HELLO }, disks, ram: '40M' });
    const { lines } = await system.endedWith(1);
    expect(seen.synchronised).toBe(1);
    expect(lines.join('\n')).toMatch(/the disk "bad" is not synchronised: .*/);
  });

  test('that reports errors goes on with a full disk, and ends with 1 when an IDE disk lacks a write', async () => {
    const roms = { linux: new Program().writeIdeSector().print('on').halt().kernel() };
    const config =
      '<kernel rom="linux"/> <disk label="root" model="ide" writeable="yes" on_error="report"/> <serial/>';
    const disks = { root: diskWith({ write: () => rejected('NoSpace') }) };
    const system = new MachineSystem(config, { roms, disks });
    const { lines } = await system.endedWith(1);
    expect(system.output).toBe('on');
    expect(lines.join('\n')).toMatch(
      /requests of the disk "root" fail: NoSpace[^]*"root" lacks writes that its guest takes for done/,
    );
  });

  test('starts anew when the guest resets it', async () => {
    const program = new Program().print('again').readSerial();
    // The keyboard controller pulls the reset line.
    const roms = { linux: program.out(0x64, 1, 0xfe).halt().kernel() };
    const system = new MachineSystem('<kernel rom="linux"/> <serial/>', { roms });
    await system.until('again');
    system.type('x');
    await system.until('againagain');
    expect(system.lines.at(-1)).toContain('the guest starts anew');
    await system.stop();
  });

  test('that resets itself in a loop stands still for a second each time', async () => {
    const clock = new ManualClock();
    const roms = { linux: new Program().print('up').out(0x64, 1, 0xfe).halt().kernel() };
    const system = new MachineSystem('<kernel rom="linux"/> <serial/> <control/>', { roms, clock });
    await system.until('up');
    for (const [starts, sleep] of [
      [1, 999],
      [1, 1],
      [2, 1000],
    ] as const) {
      // A machine that acts on what is wanted of it has had its turns since then.
      for (let turn = 0; turn < 20; turn++) await system.ask('resume');
      expect(system.output).toBe('up'.repeat(starts));
      clock.advance(sleep);
    }
    await system.until('upupup');
    await system.stop();
  });

  test('tells of its first resets, and of later ones when they have doubled', async () => {
    const roms = { linux: new Program().print('up').raw(0xeb, 0xfe).kernel() };
    const system = new MachineSystem('<kernel rom="linux"/> <serial/> <control/>', { roms });
    await system.until('up');
    for (let times = 0; times < 20; times++) await system.ask('reset');
    const told = ({ lines }: MachineSystem): string[] =>
      lines.flatMap((line) => /the guest starts anew.*/.exec(line)?.[0] ?? []);
    const more = [2, 3, 4, 5, 6, 7, 8, 16].map((times) => `the guest starts anew (${times} times so far)`);
    expect(told(system)).toEqual(['the guest starts anew', ...more]);
    await system.stop();
  });

  test('forgets at a reset what its guest has asked of an IDE disk', async () => {
    const disk = new RamDisk(new Uint8Array(64 * 512), 512);
    const program = new Program().print('up').inByte(0x1f7).writeBit(3).beginIdeWrite();
    const roms = { linux: program.print('!').raw(0xeb, 0xfe).kernel() };
    const config =
      '<kernel rom="linux"/> <disk label="root" model="ide" writeable="yes"/> <serial/> <control/>';
    const system = new MachineSystem(config, { roms, disks: { root: disk } });
    await system.until('up0!');
    await system.ask('reset');
    // The new guest's disk waits for no data.
    await system.until('up0!up0!');
    await system.stop();
  });
});

describe('whoever acts on a machine', () => {
  const echo = { linux: new Program().print('up').echoUntil('.').halt().kernel() };
  const config = '<kernel rom="linux"/> <serial/> <control/>';

  test('sees how it is, pauses it and lets it go on', async () => {
    const system = new MachineSystem(config, { roms: echo });
    await system.until('up');
    expect(system.state).toEqual({
      state: 'runs',
      about: expect.stringMatching(/^v86 0\.5\.462, 1 processor/),
    });
    expect(await system.ask('pause')).toBeUndefined();
    await system.untilState(/^paused: /);
    system.type('later.');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(system.output).toBe('up');
    expect(await system.ask('resume')).toBeUndefined();
    await system.until('uplater.');
    await system.ended();
    expect(await system.ask('pause')).toBe('there is no machine');
  });

  test('resets it, also while it is paused', async () => {
    const system = new MachineSystem(config, { roms: echo });
    await system.until('up');
    await system.ask('reset');
    await system.until('upup');
    await system.ask('pause');
    await system.ask('reset');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(system.output).toBe('upup');
    await system.ask('resume');
    await system.until('upupup');
    await system.stop();
  });

  test('finds it paused, with its request held, when its disk has no space, and mends that', async () => {
    const disk = new RamDisk(new Uint8Array(64 * 512), 512);
    let isFull = true;
    const filling = diskWith({
      write: (...request) => (isFull ? rejected('NoSpace') : disk.write(...request)),
      read: (...request) => disk.read(...request),
    });
    const roms = { linux: new Program().print('up').writeIdeSector().print('written').halt().kernel() };
    const more = '<disk label="root" model="ide" writeable="yes"/>';
    const system = new MachineSystem(config + more, { roms, disks: { root: filling } });
    await system.untilState(/^paused: .*; the disk "root" fails: NoSpace$/);
    // Nothing has been mended.
    await system.ask('resume');
    await system.untilState(/^paused: /);
    isFull = false;
    await system.ask('resume');
    await system.ended();
    expect(system.output).toBe('upwritten');
    const block = new Uint8Array(512);
    void disk.read(0, 1, block);
    expect(block).toEqual(new Uint8Array(512).fill(0x55));
  });

  test('that is stopped while a request is held ends all the same', async () => {
    const roms = { linux: new Program().writeIdeSector().halt().kernel() };
    const more = '<disk label="root" model="ide" writeable="yes"/>';
    const system = new MachineSystem(config + more, {
      roms,
      disks: { root: diskWith({ write: () => rejected('NoSpace') }) },
    });
    await system.untilState(/^paused: /);
    await system.stop();
  });
});

describe('the power button', () => {
  /** Listens to it, and switches off when it is pressed. */
  const listening = new Program()
    .print('up')
    .out(0xb002, 2, 0x100)
    .print(', listening')
    .waitFor(0xb001, 0, true);
  const roms = {
    polite: listening.out(0xb000, 2, 0x100).print(', bye').out(0xb004, 2, 0x3400).raw(0xeb, 0xfe).kernel(),
    busy: new Program().out(0xb002, 2, 0x100).print('up').raw(0xeb, 0xfe).kernel(),
    deaf: new Program().print('up').raw(0xeb, 0xfe).kernel(),
  };

  test('makes a guest that listens switch off', async () => {
    const system = new MachineSystem('<kernel rom="polite"/> <serial/> <control/>', { roms });
    await system.until('listening');
    expect(await system.ask('poweroff')).toBeUndefined();
    await system.ended();
    expect(system.output).toBe('up, listening, bye');
  });

  test('is pressed when the component is stopped, and the guest waited for', async () => {
    const { seen, disk } = countedDisk();
    const config = '<kernel rom="polite"/> <disk label="root" writeable="yes"/> <serial/>';
    const system = new MachineSystem(config, { roms, disks: { root: disk } });
    await system.until('listening');
    const { lines, complaints } = await system.stop();
    expect(complaints).toEqual([]);
    // The guest has switched off, and the component is stopped: the machine ends once.
    expect(seen.synchronised).toBe(1);
    expect(lines.filter((line) => line.includes('Error'))).toEqual([]);
    expect(lines.join('\n')).toMatch(
      /the power button is pressed; the guest has 20 s[^]*the guest has stopped its processor/,
    );
  });

  test('is pressed in vain: the guest has its time, and no more', async () => {
    const config = '<kernel rom="busy"/> <serial/>';
    const system = new MachineSystem(config, { roms, attributes: 'grace="1"' });
    await system.until('up');
    expect((await system.stop()).lines.join('\n')).toContain('the guest has not switched off in time');
  });

  test('is not waited for if nobody listens, or if the config says so', async () => {
    const deaf = new MachineSystem('<kernel rom="deaf"/> <serial/> <control/>', { roms });
    await deaf.until('up');
    expect(await deaf.ask('poweroff')).toBe('the guest does not listen to its power button');
    expect((await deaf.stop()).lines.join('\n')).not.toContain('power button');
    const killed = new MachineSystem('<kernel rom="busy"/> <serial/>', {
      roms,
      attributes: 'on_stop="kill"',
    });
    await killed.until('up');
    expect((await killed.stop()).lines.join('\n')).not.toContain('power button');
  });
});

describe('a machine that cannot be is one clear error', () => {
  const roms = { linux: HELLO, big: bzImageOf(HELLO, { xloadflags: 1 }), text: new Uint8Array(5000) };
  const disk = new RamDisk(new Uint8Array(16 * 1024), 1024);
  test.each<[string, string, MachineSurroundings, RegExp]>([
    [
      'too little memory',
      '<kernel rom="linux"/>',
      { ram: '10M' },
      /the RAM quota leaves \d MiB for the guest, which needs 16 at least: give the start node \d+ MiB more/,
    ],
    [
      'a kernel for 64 bits',
      '<kernel rom="big"/>',
      { attributes: 'engine="v86"' },
      /config\.xml:\d+:\d+: the kernel cannot be started: it is a kernel for 64 bits, and .* v86 has 32/,
    ],
    [
      'nothing to start with',
      '',
      {},
      /config\.xml:\d+:\d+: .* <kernel>.* by a <bios>: bios\.bin of Debian's package seabios/,
    ],
    [
      'a kernel and a BIOS',
      '<kernel rom="linux"/> <bios rom="linux"/>',
      {},
      /config\.xml:\d+:\d+: <bios> is only of use without a kernel/,
    ],
    ['a kernel without a name', '<kernel/>', {}, /config\.xml:\d+:\d+: <kernel> needs rom or file/],
    ['a text for a kernel', '<kernel rom="text"/>', {}, /config\.xml:\d+:\d+: .*it is no Linux kernel/],
    ['a missing kernel', '<kernel rom="none"/>', {}, /config\.xml:\d+:\d+: .*ROM module "none"/],
    ['missing files', '<kernel file="/linux"/>', {}, /config\.xml:\d+:\d+: .*File_system session "files"/],
    [
      'a missing initrd',
      '<kernel rom="linux"/> <initrd rom="none"/>',
      {},
      /config\.xml:\d+:\d+: .*ROM module "none"/,
    ],
    [
      'a missing disk',
      '<kernel rom="linux"/> <disk label="none"/>',
      {},
      /config\.xml:\d+:\d+: there is no disk "none"/,
    ],
    [
      'a disk of blocks that do not fit',
      '<kernel rom="linux"/> <disk label="odd" model="ide" writeable="yes"/>',
      { disks: { odd: disk } },
      /config\.xml:\d+:\d+: the disk "odd" has blocks of 1024 bytes/,
    ],
    [
      'an IDE disk that may not be written',
      '<kernel rom="linux"/> <disk label="odd" model="ide"/>',
      { disks: { odd: disk } },
      /config\.xml:\d+:\d+: a disk of the model ide can be written by its guest: .*model virtio/,
    ],
    [
      'two processors',
      '<kernel rom="linux"/> <cpu count="2"/>',
      { attributes: 'engine="v86"' },
      /config\.xml:\d+:\d+: the engine v86 has 1 processor; the engine qemu has up to 64/,
    ],
    [
      'an engine that is not granted',
      '<kernel rom="big"/>',
      {},
      /config\.xml:\d+:\d+: the machine needs the engine qemu \(its kernel is one for 64 bits\), whose program is not granted: .*apt install qemu-system-x86/,
    ],
    [
      'too many disks',
      `<kernel rom="linux"/> ${'<disk label="odd"/>'.repeat(5)}`,
      { disks: { odd: disk } },
      /config\.xml:\d+:\d+: a machine has at most 4 disks of the model virtio/,
    ],
  ])('%s', async (_, config, surroundings, reason) => {
    const system = new MachineSystem(config, { roms, ...surroundings });
    expect(await system.crash()).toMatch(reason);
    expect(system.lines.filter((line) => line.includes('Error')).length).toBeLessThanOrEqual(1);
  });
});
