#!/usr/bin/env bash
# A symbolic link with a long target, in an ISO 9660 image with Rock Ridge: two names of 200 bytes each, "eee.../fff...". Linux allows
# targets of 4095 bytes with names of 255. Rock Ridge stores a target as components in as many "SL" fields as it takes, and a
# component that does not fit into a field goes on in the next.
#
# Best guess before trying: genisoimage and xorriso store the whole target, as both store one with two names of 150 bytes.
#
# Found with genisoimage 1.1.11 and xorriso 1.5.4 of Debian 12: genisoimage stores the first name alone and drops the second, without
# a warning and with exit code 0; so the link leads to another place. Its own isoinfo and xorriso read the same from the image.
# xorriso stores the whole.
#
# Needs apt-get, dpkg and the usual system libraries on amd64. Fails if any of this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export LC_ALL=C HOME="$folder"

packages='genisoimage=9:1.1.11-3.4 xorriso=1.5.4-4 libisoburn1=1.5.4-4 libisofs6=1.5.4-1 libburn4=1.5.4-1 libjte2=1.22-3'
# shellcheck disable=SC2086
apt-get -qq download $packages 2>apt.log || { cat apt.log >&2; echo 'the pinned packages cannot be had' >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" root; done
PATH="$folder/root/usr/bin:$PATH"
export LD_LIBRARY_PATH=root/usr/lib/x86_64-linux-gnu

name() { printf "%$2s" '' | tr ' ' "$1"; }
# The lengths of the target that xorriso and isoinfo read from an image.
target() {
  rm -rf out && mkdir out
  xorriso -osirrox on -indev "$1" -extract / out >/dev/null 2>&1
  readlink out/link | tr -d '\n' | wc -c
}
shown() { isoinfo -R -l -i "$1" | sed -n 's/.*-> //p' | tr -d ' \n' | wc -c; }

genisoimage --version | head -1
xorriso -version 2>/dev/null | sed -n 's/^xorriso version *: */xorriso /p'
for length in 150 200; do
  rm -rf tree && mkdir tree
  ln -s "$(name e $length)/$(name f $length)" tree/link
  genisoimage -quiet -R -o genisoimage.iso tree 2>said.log
  xorriso -as mkisofs -quiet -R -o xorriso.iso tree >/dev/null 2>&1
  found="$(wc -c <said.log) $(target genisoimage.iso) $(shown genisoimage.iso) $(target xorriso.iso) $(shown xorriso.iso)"
  echo "target of $((2 * length + 1)) bytes: bytes of warnings, then read from genisoimage's image by xorriso and isoinfo," \
    "and from xorriso's image: $found"
  case $length in
    150) [ "$found" = '0 301 301 301 301' ] ;;
    200) [ "$found" = '0 200 200 401 401' ] ;;
  esac
done
