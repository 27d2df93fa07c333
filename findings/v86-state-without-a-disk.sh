#!/usr/bin/env bash
# v86 (npm, 0.5.462): a machine that has no hard disk is saved by `save_state`, and that state is given back to the very same
# machine by `restore_state`, while it stands still.
#
# Best guess before trying: the state of a machine is taken by the machine that it is of, whatever drives that has.
#
# Found with v86 0.5.462: with a hard disk (`hda`) it is; without one, `restore_state` rejects with "Cannot read properties of
# undefined (reading 'original_bar')". The IDE controller is there for its empty CD drive alone then, and its configuration
# space has addresses for the ports of both channels, but its list of ports has holes where the first channel is missing; the
# PCI bus goes through the addresses of the state. So a machine with only a CD, a floppy or a kernel cannot go on from its
# state. (The holes can be filled with ports of size 0 from outside before `restore_state` is called.)
#
# Needs npm and node. Fails if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm install --silent --no-audit --no-fund --ignore-scripts v86@0.5.462 >npm.log 2>&1 || { cat npm.log >&2; echo 'the pinned package cannot be had' >&2; exit 2; }
cat >try.mjs <<'JAVASCRIPT'
import { V86 } from 'v86';

async function restored(disks) {
  const machine = new V86({
    wasm_path: 'node_modules/v86/build/v86.wasm',
    memory_size: 16 * 1024 * 1024,
    vga_memory_size: 1024 * 1024,
    autostart: false,
    disable_speaker: true,
    ...disks,
  });
  await new Promise((resolve) => machine.add_listener('emulator-ready', resolve));
  const state = await machine.save_state();
  return machine.restore_state(state).then(
    () => 'taken',
    (error) => `refused: ${error.message}`,
  );
}

console.log(`with a hard disk: ${await restored({ hda: { buffer: new ArrayBuffer(1024 * 1024) } })}`);
console.log(`without one: ${await restored({})}`);
process.exit(0);
JAVASCRIPT
node try.mjs | tee seen
diff - seen <<'SEEN'
with a hard disk: taken
without one: refused: Cannot read properties of undefined (reading 'original_bar')
SEEN
