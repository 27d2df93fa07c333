/** The images of one command, each mounted once. */
import { realpathSync } from 'node:fs';
import { mount, type MountedFs, placeOf } from '@ginit/rumpfs';
import type { ImagePlace } from './fs-place.ts';
import type { OpenOptions } from './options.ts';
import { at, Problem } from './problem.ts';

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
  /** The images that are open, by the file that they are in. */
  readonly #files = new Map<string, string>();

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

  async #mount(image: string): Promise<MountedFs> {
    this.#refuseSecondUse(image);
    const { type, zone } = this.#options;
    return mount(image, {
      ...imageOptions(this.#options),
      ...(type === undefined ? {} : { type }),
      ...(zone === undefined ? {} : { zone }),
      readOnly: !this.#written.has(image),
      log: (line) => this.#log(`${image}: ${line}`),
    });
  }

  /**
   * Whoever writes to a file is alone with it, so one command cannot have it open twice. Without
   * this the lock of the file would say that somebody else has it.
   */
  #refuseSecondUse(image: string): void {
    const file = realpathSync(placeOf(image).file);
    const first = this.#files.get(file);
    if (first === undefined) this.#files.set(file, image);
    else if (this.#written.has(image) || this.#written.has(first)) {
      const advice =
        placeOf(first).partition === placeOf(image).partition
          ? 'name it in one way'
          : 'copy by way of the host';
      throw new Problem(
        `"${first}" and "${image}" are in the same file, which only one of them can write to: ${advice}`,
      );
    }
  }
}
