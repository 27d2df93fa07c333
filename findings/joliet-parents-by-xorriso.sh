#!/usr/bin/env bash
# A disc with a tree of Joliet beside that of ISO 9660, and directories in directories. The second record of each directory, "..",
# leads to the directory above.
#
# Best guess before trying: it does so in both trees, whatever writes the disc.
#
# Found with xorriso 1.5.4 and genisoimage 1.1.11 of Debian 12: in the tree of Joliet (and that of ISO 9660:1999) by xorriso the ".."
# of every directory leads to the directory itself. Its primary tree, and both of genisoimage, are right. So whoever follows ".." on
# such a disc stays where he is.
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

# Four bytes of a disc as a number.
number() { od -An -tu4 --endian=little -j "$2" -N 4 "$1" | tr -d ' '; }
# The blocks of the one directory in the root of a tree: itself, and what its ".." leads to; and the block of the root.
blocks() {
  local root directory first record
  root=$(number "$1" $(($2 * 2048 + 158)))
  first=$(od -An -tu1 -j $((root * 2048)) -N 1 "$1" | tr -d ' ')
  record=$((root * 2048 + first))
  record=$((record + $(od -An -tu1 -j "$record" -N 1 "$1")))
  directory=$(number "$1" $((record + 2)))
  first=$(od -An -tu1 -j $((directory * 2048)) -N 1 "$1" | tr -d ' ')
  echo "$directory $(number "$1" $((directory * 2048 + first + 2))) $root"
}

mkdir -p tree/inner/deep
xorriso -as mkisofs -quiet -R -J -o xorriso.iso tree >/dev/null 2>&1
genisoimage -quiet -R -J -o genisoimage.iso tree
for disc in xorriso genisoimage; do
  for sector in 16 17; do
    read -r directory above root < <(blocks "$disc.iso" "$sector")
    echo "$disc, descriptor in sector $sector: directory $directory, \"..\" $above, root $root"
    case $disc-$sector in
      xorriso-17) [ "$above" = "$directory" ] ;;
      *) [ "$above" = "$root" ] ;;
    esac
  done
done
