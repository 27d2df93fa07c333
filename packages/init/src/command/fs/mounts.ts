/** The images of one command, each mounted once. */
import { mount, type MountedFs } from '@ginit/rumpfs';
import type { ImagePlace } from './fs-place.ts';
import type { OpenOptions } from './options.ts';
import { at } from './problem.ts';

/** The options of `mount` that a command line has said. */
export function imageOptions({ format, backing }: OpenOptions): {
  format?: string;
  backing?: readonly string[];
} {
  return { ...(format === undefined ? {} : { format }), ...(backing.length === 0 ? {} : { backing }) };
}

/** The mounts. */
export class Mounts implements AsyncDisposable {
  readonly #options: OpenOptions;
  readonly #written: ReadonlySet<string>;
  readonly #log: (line: string) => void;
  readonly #mounts = new Map<string, Promise<MountedFs>>();

  /** `written` are the images that are going to be changed; all others are only read. */
  constructor(options: OpenOptions, written: readonly string[], log: (line: string) => void) {
    this.#options = options;
    this.#written = new Set(written);
    this.#log = log;
  }

  /** The file system in which a place is. */
  get({ image }: ImagePlace): Promise<MountedFs> {
    let mounted = this.#mounts.get(image);
    if (mounted === undefined) {
      mounted = at(image, () => this.#mount(image));
      this.#mounts.set(image, mounted);
    }
    return mounted;
  }

  /** Unmounts all of them. The first failure is told when all has been done. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const [image, mounted] of this.#mounts) {
      const fs = await mounted.catch(() => undefined);
      await at(image, async () => fs?.unmount({ force: true })).catch((error: unknown) =>
        failures.push(error),
      );
    }
    this.#mounts.clear();
    if (failures.length > 0) throw failures[0];
  }

  #mount(image: string): Promise<MountedFs> {
    const { type, zone } = this.#options;
    return mount(image, {
      ...imageOptions(this.#options),
      ...(type === undefined ? {} : { type }),
      ...(zone === undefined ? {} : { zone }),
      readOnly: !this.#written.has(image),
      log: (line) => this.#log(`${image}: ${line}`),
    });
  }
}
