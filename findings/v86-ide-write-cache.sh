#!/usr/bin/env bash
# v86 (npm, 0.5.462) with a disk of one's own (an object with `get` and `set`, whose answers come later) on its IDE bus: the
# registers of the bus are used as a driver uses them, IDENTIFY DEVICE, then WRITE SECTORS of one sector, then FLUSH CACHE.
#
# Best guess before trying: the disk is busy until `set` has called back. If it were not, it would say by bit 5 of word 85 of
# IDENTIFY that its write cache is on, and be busy with FLUSH CACHE until everything is written: that is what ATA has both for.
#
# Found with v86 0.5.462: the write is answered when its data has come, and FLUSH CACHE at once, while `set` has not called back;
# word 85 says that there is no write cache. So nothing that a guest can do tells it when what it wrote is safe. It does not
# matter with disks in memory; whoever brings a disk whose writes take time, or fail, must know it.
#
# Needs npm and node. Fails if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm install --silent --no-audit --no-fund --ignore-scripts v86@0.5.462 >npm.log 2>&1 || { cat npm.log >&2; echo 'the pinned package cannot be had' >&2; exit 2; }
cat >try.mjs <<'JAVASCRIPT'
import { V86 } from 'v86';

const pending = [];
const disk = {
  byteLength: 1024 * 1024,
  buffer: new ArrayBuffer(0),
  load() {
    this.onload?.({});
  },
  get_from_cache() {},
  get_and_cache: (position, length, done) => done(new Uint8Array(length)),
  get: (position, length, done) => done(new Uint8Array(length)),
  set: (position, bytes, done) => pending.push(done),
  get_state: () => [],
  set_state() {},
};
const machine = new V86({
  wasm_path: 'node_modules/v86/build/v86.wasm',
  memory_size: 16 * 1024 * 1024,
  vga_memory_size: 1024 * 1024,
  autostart: false,
  disable_speaker: true,
  hda: disk,
});
await new Promise((resolve) => machine.add_listener('emulator-ready', resolve));
const { io } = machine.v86.cpu;
const [DATA, COUNT, LOW, MIDDLE, HIGH, DEVICE, COMMAND, STATUS] = [0x1f0, 0x1f2, 0x1f3, 0x1f4, 0x1f5, 0x1f6, 0x1f7, 0x3f6];
const [IDENTIFY, WRITE_SECTORS, FLUSH_CACHE] = [0xec, 0x30, 0xe7];
const told = (what) => console.log(`${what}: ${io.port_read8(STATUS) & 0x80 ? 'busy' : 'ready'}, ${pending.length} not written`);

io.port_write8(DEVICE, 0xe0);
io.port_write8(COMMAND, IDENTIFY);
const words = Array.from({ length: 256 }, () => io.port_read16(DATA));
console.log(`write cache: ${(words[85] >> 5) & 1 ? 'on' : 'off'}`);
for (const [port, value] of [[COUNT, 1], [LOW, 0], [MIDDLE, 0], [HIGH, 0], [COMMAND, WRITE_SECTORS]]) io.port_write8(port, value);
for (let word = 0; word < 256; word++) io.port_write16(DATA, 0x5555);
told('after the data');
io.port_write8(COMMAND, FLUSH_CACHE);
told('after FLUSH CACHE');
process.exit(0);
JAVASCRIPT
node try.mjs | tee seen
diff - seen <<'SEEN'
write cache: off
after the data: ready, 1 not written
after FLUSH CACHE: ready, 1 not written
SEEN
