/** Disks and CDs in image files, on the engine v86, with guests of a few bytes. */
import { createVdi, openImage } from '@ginit/block/image';
import { describe, expect, test } from 'vitest';
import { MemoryDevice } from '../../block/test/image/memory-device.ts';
import type { RamFileSystem } from '../../os/src/lib/ram-file-system.ts';
import { MachineSystem, someFiles } from './machine-system.ts';
import { Program } from './tiny-guest.ts';

const MEBIBYTE = 1024 * 1024;
const DISK_BYTES = 4 * MEBIBYTE;
/** What the image has in its first sector, and what the guest writes there. */
const [BEFORE, AFTER] = [0x33, 0x55];
const GUEST = new Program().print('up').writeIdeSector().print('written').halt().kernel();
const OVERLAY =
  '<kernel rom="linux"/> <serial/> <image type="vdi" file="/base.vdi" overlay="/changes" model="ide"/>';

async function putFile(files: RamFileSystem, name: string, bytes: Uint8Array): Promise<void> {
  const node = await files.createFile(files.root, name);
  for (let at = 0; at < bytes.byteLength; at += await files.write(node, at, bytes.subarray(at)));
}

async function fileIn(files: RamFileSystem, name: string): Promise<Uint8Array> {
  const node = await files.lookup(files.root, name);
  if (node.type !== 'file') throw new Error(`${name} is no file`);
  const bytes = new Uint8Array(files.status(node).sizeBytes);
  await files.read(node, 0, bytes);
  return bytes;
}

/** Files, among them a VDI image. */
async function filesWithImage() {
  const device = new MemoryDevice();
  await createVdi(device, { sizeBytes: DISK_BYTES, uuid: new Uint8Array(16).fill(7) });
  const image = await openImage(device, 'vdi', { writeable: true });
  await image.write(new Uint8Array(512).fill(BEFORE), 0);
  await image.close();
  const { files } = await someFiles();
  await putFile(files, 'base.vdi', device.content());
  return files;
}

/** The first sector of the disk in the two images. */
async function firstSector(files: RamFileSystem): Promise<Uint8Array> {
  const backing = await openImage(new MemoryDevice(await fileIn(files, 'base.vdi')), 'vdi', {
    writeable: false,
  });
  const overlay = new MemoryDevice(await fileIn(files, 'changes'));
  const image = await openImage(overlay, 'qcow2', { writeable: false, backing });
  const sector = new Uint8Array(1024);
  await image.read(sector, 0);
  return sector;
}

describe('an image in a file', () => {
  test('is only read: what the guest writes is in its overlay, which is made, and used again', async () => {
    const files = await filesWithImage();
    const base = await fileIn(files, 'base.vdi');
    for (let time = 0; time < 2; time++) {
      const system = new MachineSystem(OVERLAY, { roms: { linux: GUEST }, files });
      await system.ended();
      expect(system.output).toBe('upwritten');
      const sector = await firstSector(files);
      expect(sector.subarray(0, 512).every((byte) => byte === AFTER)).toBe(true);
      expect(sector.subarray(512).every((byte) => byte === 0)).toBe(true);
    }
    expect(Buffer.compare(await fileIn(files, 'base.vdi'), base)).toBe(0);
  });

  test.each([
    ['<image type="vdi" file="/none.vdi"/>', 'the image "/none.vdi" cannot be used: Lookup_failed'],
    ['<image type="vdi" file="/text"/>', 'the image "/text" cannot be used: '],
    ['<image type="vdi" file="/base.vdi" overlay="/text"/>', 'the image "/text" cannot be used: '],
    ['<image type="vdi" file="/base.vdi" model="ide"/>', 'give it an overlay, or the model virtio'],
    ['<image type="iso" file="/text"/> <cdrom/>', 'a machine has one CD drive'],
    ['<image type="iso" file="/text" overlay="/changes"/>', 'a CD is not written'],
    ['<image type="iso" file="/none.iso"/>', '"/none.iso" cannot be read: Lookup_failed'],
  ])('that cannot be used is one error: %s', async (config, reason) => {
    const files = await filesWithImage();
    await putFile(files, 'text', new TextEncoder().encode('a text that somebody has put there\n'));
    const all = `<kernel rom="linux"/> ${config}`;
    const system = new MachineSystem(all, { roms: { linux: GUEST }, files });
    const crash = await system.crash();
    expect(crash).toMatch(/config\.xml:\d+:\d+: /);
    expect(crash).toContain(reason);
  });

  test('is no place for the overlay of another image', async () => {
    const files = await filesWithImage();
    await new MachineSystem(OVERLAY, { roms: { linux: GUEST }, files }).ended();
    await putFile(files, 'other.vdi', await fileIn(files, 'base.vdi'));
    const config = OVERLAY.replace('/base.vdi', '/other.vdi');
    const crash = await new MachineSystem(config, { roms: { linux: GUEST }, files }).crash();
    expect(crash).toContain(
      'the image "/changes" cannot be used: it is no overlay of "/other.vdi", but of "/base.vdi"',
    );
  });
});
