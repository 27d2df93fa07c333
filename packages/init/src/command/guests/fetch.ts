/** Makes a guest of Debian's packages. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AptRoot, FetchError, type PackageFile, type Progress } from './apt-root.ts';
import type { Guest } from './catalogue.ts';
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
  { name, modules }: Guest,
  store: GuestStore,
  packages: readonly PackageFile[],
  unpacked: string,
  progress: Progress,
): StoredGuest {
  const boot = join(unpacked, 'boot');
  const kernel = readdirSync(boot).find((file) => file.startsWith('vmlinuz-'));
  if (kernel === undefined) throw new FetchError('there is no kernel in the packages');
  progress('making the initrd', 50);
  const initrd = makeInitrd({ name, unpacked, modules });
  return store.keep(
    name,
    packages.map((one) => one.name),
    { linux: readFileSync(join(boot, kernel)), initrd },
  );
}
