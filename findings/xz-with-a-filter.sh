#!/usr/bin/env bash
# xz files as Linux packs its kernels and initial file systems on x86: with the filter x86 in front of LZMA2 and CRC32 as the
# check. Read by xz-decompress 0.2.3 of npm, which is made of XZ Embedded, the decoder that Linux itself has.
#
# Best guess before trying: it reads them. XZ Embedded was written for kernels, and the filter is part of it.
#
# Found with xz-utils 5.4.1 of Debian 12 and Node: a file made by plain `xz` is read. One with a filter (x86, arm64 or delta) is
# refused, whatever it holds, and so is one whose check is SHA-256: "get_next_output failed with error code 6", which is XZ
# Embedded's code for options that were left out when it was built. The README names no bound. So a vmlinuz of Debian, whose
# payload is packed that way, cannot be unpacked by it.
#
# Needs apt-get, dpkg, npm and node on amd64. Fails if any of this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

apt-get -qq download xz-utils=5.4.1-1+deb12u2 liblzma5=5.4.1-1+deb12u2 2>apt.log || { cat apt.log >&2; echo 'the pinned packages cannot be had' >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
echo '{ "private": true }' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund xz-decompress@0.2.3

compress() { LD_LIBRARY_PATH=root/lib/x86_64-linux-gnu root/usr/bin/xz --stdout "$@" data; }
LD_LIBRARY_PATH=root/lib/x86_64-linux-gnu root/usr/bin/xz --version
seq 1 40000 >data
compress >plain.xz
compress --check=crc32 >crc32.xz
compress --check=crc32 --x86 --lzma2=preset=6 >x86.xz
compress --check=crc32 --arm64 --lzma2=preset=6 >arm64.xz
compress --check=crc32 --delta=dist=4 --lzma2=preset=6 >delta.xz
compress --check=sha256 >sha256.xz

cat >read.mjs <<'JAVASCRIPT'
import { readFileSync } from 'node:fs';
import xz from 'xz-decompress';

for (const name of process.argv.slice(2)) {
  const packed = new Blob([readFileSync(`${name}.xz`)]).stream();
  const read = new Response(new xz.XzReadableStream(packed)).arrayBuffer();
  const said = await read.then(
    (bytes) => (Buffer.from(bytes).equals(readFileSync('data')) ? 'read' : 'read wrongly'),
    (error) => error.message,
  );
  console.log(`${name}: ${said}`);
}
JAVASCRIPT
node read.mjs plain crc32 x86 arm64 delta sha256 | tee said
refused='get_next_output failed with error code 6'
diff said - <<EXPECTED
plain: read
crc32: read
x86: $refused
arm64: $refused
delta: $refused
sha256: $refused
EXPECTED
