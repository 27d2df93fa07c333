#!/usr/bin/env bash
# A FAT32 with fewer than 65,525 clusters: mkfs.fat -F 32 makes one where it is asked to, here of 16,100 clusters on 8 MiB.
# Microsoft's description of FAT tells the kinds apart by the number of clusters alone, Linux by the field of the boot sector in
# which a FAT32 has 0 sectors per FAT.
#
# Best guess before trying: mtools, which on Debian is mostly used beside dosfstools, goes by that field as Linux does, and reads it.
#
# Found with dosfstools 4.2 and mtools 4.0.32 of Debian 12: mkfs.fat and fsck.fat warn and call it FAT32, with exit code 0. mtools
# does not open it at all: "Error reading FAT". With 80,628 clusters (40 MiB) both agree. So mcopy cannot put files into an image
# that mkfs.fat has made and fsck.fat finds in order.
#
# Needs apt-get and dpkg on amd64. Fails if any of this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export LC_ALL=C

packages='dosfstools=4.2-1 mtools=4.0.33-1+really4.0.32-1'
# shellcheck disable=SC2086
apt-get -qq download $packages 2>apt.log || { cat apt.log >&2; echo 'the pinned packages cannot be had' >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
PATH="$folder/root/usr/bin:$folder/root/usr/sbin:$folder/root/sbin:$PATH"

# All without the user's own configuration of mtools.
export MTOOLSRC=/dev/null HOME="$folder"
mkfs.fat --help 2>/dev/null | head -1 || true
mtools --version | head -1

make() {
  truncate -s "$2" "$1"
  mkfs.fat -F 32 -s 1 "$1" >mkfs.log 2>&1 || { cat mkfs.log; exit 1; }
}
# A result is the program's exit code and the line that matters.
judge() {
  fsck=$(fsck.fat -n "$1" 2>&1) && fsckCode=0 || fsckCode=$?
  mdir=$(mdir -i "$1" :: 2>&1) && mdirCode=0 || mdirCode=$?
  echo "$1: fsck.fat exits with $fsckCode: $(grep -o '[0-9]*/[0-9]* clusters' <<<"$fsck")"
  echo "$1: mdir exits with $mdirCode: $(head -1 <<<"$mdir")"
}

make large.img 40M
judge large.img
[ "$fsckCode" = 0 ] && [ "$mdirCode" = 0 ]
make small.img 8M
judge small.img
[ "$fsckCode" = 0 ] && [ "$mdirCode" = 1 ]
grep -q 'Filesystem is FAT32' <<<"$fsck"
grep -q 'only 16100 clusters' <<<"$fsck"
grep -q 'Error reading FAT' <<<"$mdir"
