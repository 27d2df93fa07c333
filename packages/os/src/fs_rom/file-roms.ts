/** Files as ROM modules, one for each path that somebody reads. */
import { type Env, type Implementation, type Label, type Rom } from '@ginit/core';
import type { FileSystemClient } from '@ginit/core/file_system';
import { FollowedFile } from './followed-file.ts';

interface Served {
  readonly file: FollowedFile;
  readonly ready: Promise<void>;
  readers: number;
}

/** The modules that are read. */
export class FileRoms {
  readonly #env: Pick<Env, 'pd' | 'ram' | 'warning'>;
  #client: FileSystemClient;
  readonly #served = new Map<string, Served>();

  constructor(env: Pick<Env, 'pd' | 'ram' | 'warning'>, client: FileSystemClient) {
    this.#env = env;
    this.#client = client;
  }

  /** Answers a ROM session request: the last element of the label is the path, from the root. */
  async open(label: Label): Promise<Implementation<typeof Rom>> {
    const path = `/${label.last}`;
    const served = this.#serve(path);
    served.readers++;
    await served.ready;
    return served.file.rom.open(() => {
      served.readers--;
      if (served.readers > 0) return;
      this.#served.delete(path);
      void served.file.close();
    });
  }

  /** Follows the files of another file system. Settles when all modules have what is there. */
  async moveTo(client: FileSystemClient): Promise<void> {
    this.#client = client;
    await Promise.all(Array.from(this.#served.values(), ({ file }) => file.moveTo(client)));
  }

  #serve(path: string): Served {
    const known = this.#served.get(path);
    if (known) return known;
    const file = new FollowedFile(this.#env, this.#client, path);
    const served: Served = { file, ready: file.look(), readers: 0 };
    this.#served.set(path, served);
    return served;
  }
}
