/** Makes a guest of Debian's packages. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AptRoot, FetchError, type PackageFile, type Progress } from './apt-root.ts';
import type { Guest } from './catalogue.ts';
import { makeInitrd } from './initrd.ts';
import type { GuestStore, StoredGuest } from './store.ts';

/** Fetches a guest into the store. Throws `FetchError`. */
export async function fetchGuest(guest: Guest, store: GuestStore, progress: Progress): Promise<StoredGuest> {
  const workplace = store.workplace();
  try {
    const root = await AptRoot.make(workplace, guest.architecture, progress);
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
    rmSync(workplace, { recursive: true, force: true });
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
