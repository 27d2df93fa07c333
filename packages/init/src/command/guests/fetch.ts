/** Makes a guest of Debian's packages. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { AptRoot, FetchError, type PackageFile, type Progress } from './apt-root.ts';
import type { Guest, GuestFile } from './catalogue.ts';
import { makeInitrd } from './initrd.ts';
import { type GuestStore, removeWorkplace, type StoredGuest } from './store.ts';

/** Fetches a guest into the store. Throws `FetchError`, also when it is interrupted. */
export async function fetchGuest(
  guest: Guest,
  store: GuestStore,
  progress: Progress,
  interruption: AbortSignal,
): Promise<StoredGuest> {
  const workplace = store.workplace();
  try {
    const root = await AptRoot.make({
      directory: workplace,
      architecture: guest.architecture,
      progress,
      interruption,
    });
    const names: string[] = [];
    for (const { name, standsFor } of guest.packages)
      names.push(standsFor ? await root.dependencyOf(name, standsFor) : name);
    const packages = await root.download(names);
    progress('unpacking', 0);
    const unpacked = join(workplace, 'unpacked');
    mkdirSync(unpacked);
    for (const [index, one] of packages.entries()) {
      progress('unpacking', (100 * index) / packages.length);
      await root.unpack(one, unpacked);
    }
    return keep(guest, store, packages, unpacked, progress);
  } finally {
    removeWorkplace(workplace);
  }
}

function keep(
  guest: Guest,
  store: GuestStore,
  packages: readonly PackageFile[],
  unpacked: string,
  progress: Progress,
): StoredGuest {
  const files =
    'files' in guest.made ? filesOf(guest.made.files, unpacked) : linuxOf(guest, unpacked, progress);
  return store.keep(
    guest.name,
    packages.map((one) => one.name),
    files,
  );
}

/** Files of the packages, by their names in the guest. */
function filesOf(wanted: Readonly<Record<string, GuestFile>>, unpacked: string): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (const [name, file] of Object.entries(wanted)) {
    const path = typeof file === 'string' ? file : file.gzip;
    const place = join(unpacked, path);
    if (!existsSync(place)) throw new FetchError(`there is no ${path} in the packages`);
    const bytes = readFileSync(place);
    files[name] = typeof file === 'string' ? bytes : gunzipSync(bytes);
  }
  return files;
}

/** The kernel of the packages, and an initrd that is made for it. */
function linuxOf(
  { name, made }: Guest,
  unpacked: string,
  progress: Progress,
): Readonly<Record<string, Uint8Array>> {
  const boot = join(unpacked, 'boot');
  const kernel = readdirSync(boot).find((file) => file.startsWith('vmlinuz-'));
  if (kernel === undefined) throw new FetchError('there is no kernel in the packages');
  progress('making the initrd', 50);
  const modules = 'modules' in made ? made.modules : [];
  return { linux: readFileSync(join(boot, kernel)), initrd: makeInitrd({ name, unpacked, modules }) };
}
