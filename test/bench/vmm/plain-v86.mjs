/**
 * v86 from npm as its documentation says: SeaBIOS, a bzImage and an initrd, the disk as IDE, its
 * own settings. `plain-v86.mjs SETTINGS`. What the guest writes goes to standard output.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { kernel, initrd, disk, bios, vgaBios, memoryBytes, commandLine } = JSON.parse(process.argv[2]);
const require = createRequire(new URL('../../../packages/vmm/package.json', import.meta.url));
const library = require.resolve('v86');
const { V86 } = await import(pathToFileURL(library).href);

const bytesOf = (file) => {
  const bytes = readFileSync(file);
  return { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) };
};
const emulator = new V86({
  wasm_path: join(dirname(library), 'v86.wasm'),
  memory_size: memoryBytes,
  autostart: true,
  disable_speaker: true,
  bios: bytesOf(bios),
  vga_bios: bytesOf(vgaBios),
  bzimage: bytesOf(kernel),
  initrd: bytesOf(initrd),
  cmdline: commandLine,
  hda: bytesOf(disk),
});
const decoder = new TextDecoder();
emulator.add_listener('serial0-output-byte', (byte) => {
  process.stdout.write(decoder.decode(Uint8Array.of(byte), { stream: true }));
});
