/** A floppy disk that is written, on the engine v86, by a boot sector behind SeaBIOS. */
import { existsSync, readFileSync } from 'node:fs';
import { rejected } from '@ginit/core/block';
import { expect, test } from 'vitest';
import { RamDisk } from '../../block/src/ram_block/ram-disk.ts';
import { MachineSystem, someFiles } from './machine-system.ts';
import { bootSector } from './tiny-guest.ts';

const BIOS = '/usr/share/seabios/bios.bin';
const lacks = existsSync(BIOS) ? undefined : 'skipped: it needs the Debian package seabios';
const CONFIG = '<bios rom="bios"/> <floppy label="disk" writeable="yes"/> <serial/>';

const SECTOR_BYTES = 512;
const FLOPPY_BYTES = 1440 * 1024;

/** Surroundings with a floppy disk of so many bytes, which begins with the boot sector. */
function surroundings(sizeBytes = FLOPPY_BYTES) {
  const disk = new RamDisk(new Uint8Array(sizeBytes), SECTOR_BYTES);
  void disk.write(0, 1, bootSector());
  return { disk, roms: { bios: lacks === undefined ? readFileSync(BIOS) : new Uint8Array(1) } };
}

test.skipIf(lacks !== undefined)(
  `what the guest writes is on the floppy disk (${lacks ?? 'with SeaBIOS'})`,
  async () => {
    const { disk, roms } = surroundings();
    const system = new MachineSystem(CONFIG, { roms, disks: { disk } });
    await system.ended();
    expect(system.output).toBe('W');
    const sector = new Uint8Array(SECTOR_BYTES);
    void disk.read(1, 1, sector);
    expect(Buffer.compare(sector, bootSector())).toBe(0);
  },
);

test.skipIf(lacks !== undefined)(
  `a floppy disk that cannot be written protects itself (${lacks ?? 'with SeaBIOS'})`,
  async () => {
    const { disk, roms } = surroundings();
    const config = CONFIG.replace(' writeable="yes"', '');
    const system = new MachineSystem(config, { roms, disks: { disk } });
    await system.ended();
    expect(system.output).toBe('F');
  },
);

test.skipIf(lacks !== undefined)(
  `a machine whose floppy disk lacks a write says so at its end (${lacks ?? 'with SeaBIOS'})`,
  async () => {
    const { disk: good, roms } = surroundings();
    const disk = {
      info: good.info,
      read: (...request: Parameters<RamDisk['read']>) => good.read(...request),
      sync: () => {},
      trim: () => {},
      writeZeroes: () => {},
    };
    let asked = 0;
    const counted = { ...disk, write: () => (asked++, rejected('InputOutput')) };
    const system = new MachineSystem(CONFIG, {
      roms,
      disks: { disk: counted },
      attributes: 'on_stop="kill"',
    });
    await expect.poll(() => asked, { timeout: 20_000 }).toBe(1);
    const { lines } = await system.stop();
    expect(lines.join('\n')).toContain('the floppy disk lacks writes that its guest takes for done');
  },
);

test.each([
  [
    '<floppy label="disk" writeable="yes"/>',
    'the disk "disk" has 1000 KiB, and a floppy disk that is written has 1440',
  ],
  [
    '<floppy rom="bios" writeable="yes"/>',
    'only a floppy disk in a Block session is written: give it a label',
  ],
])('a floppy disk that cannot be written as it is is one error: %s', async (floppy, reason) => {
  const { disk, roms } = surroundings(1000 * 1024);
  const config = `<bios rom="bios"/> ${floppy}`;
  const system = new MachineSystem(config, { roms, disks: { disk }, files: (await someFiles()).files });
  expect(await system.crash()).toMatch(new RegExp(`config\\.xml:\\d+:\\d+: ${reason}`));
});
