#!/usr/bin/env bash
# A disk with two extended partitions, one of type 0x0f (Windows, LBA) and one of type 0x85 ("Linux extended", which exists so
# that Linux can have one that other systems leave alone), each with one logical partition.
#
# Best guess before trying: all tools of Linux list both logical partitions, as 5 and 6.
#
# Found with util-linux 2.38.1 and parted 3.5 of Debian 12: two programs of the one package util-linux disagree. partx, whose library
# also serves blkid and udev, numbers on: 5 and 6. sfdisk lists 5 alone ("Ignoring extra extended partition 2" on standard error,
# exit code 0); parted takes the whole disk for unlabelled. So a dump by sfdisk lacks a partition that partx would add as 6.
#
# Needs apt-get, dpkg and python3 on amd64. Fails if any of this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

packages='fdisk=2.38.1-5+deb12u3 libfdisk1=2.38.1-5+deb12u3 util-linux=2.38.1-5+deb12u3 libblkid1=2.38.1-5+deb12u3
  libsmartcols1=2.38.1-5+deb12u3 parted=3.5-3+deb12u1 libparted2=3.5-3+deb12u1'
# shellcheck disable=SC2086
apt-get -qq download $packages 2>apt.log || { cat apt.log >&2; echo 'the pinned packages cannot be had' >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
run() {
  local name=$1
  shift
  local program
  program=$(find root/bin root/sbin root/usr/bin root/usr/sbin -name "$name" -type f 2>/dev/null | head -1)
  LD_LIBRARY_PATH=root/lib/x86_64-linux-gnu:root/usr/lib/x86_64-linux-gnu "$program" "$@"
}

python3 - <<'PYTHON'
import struct

SECTOR = 512

def entry(kind, first, count):
    return struct.pack('<B3sB3sII', 0, bytes(3), kind, bytes(3), first, count)

def record(*entries):
    return bytes(446) + b''.join(entries).ljust(64, b'\0') + b'\x55\xaa'

disk = bytearray(8192 * SECTOR)
records = {
    0: record(entry(0x0F, 2048, 2048), entry(0x85, 4096, 2048)),
    2048: record(entry(0x83, 64, 512)),
    4096: record(entry(0x83, 64, 512)),
}
for number, content in records.items():
    disk[number * SECTOR : (number + 1) * SECTOR] = content
open('disk.img', 'wb').write(disk)
PYTHON

run sfdisk --version
run parted --version | head -1
partx=$(run partx -g -o NR --show disk.img | tr -d ' ' | tr '\n' ' ')
sfdisk=$(run sfdisk --dump disk.img | sed -n 's/^disk\.img\([0-9]*\) : .*/\1/p' | tr '\n' ' ')
parted=$({ run parted -s -m "$folder/disk.img" unit s print 2>&1 || true; } | grep -o "unknown" || true)
echo "partx:  $partx"
echo "sfdisk: $sfdisk"
echo "parted: $parted"
[ "$partx" = '1 2 5 6 ' ] && [ "$sfdisk" = '1 2 5 ' ] && [ "$parted" = unknown ]
