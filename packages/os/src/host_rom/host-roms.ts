/** The modules that somebody reads, one for each name. */
import { type Env, type Implementation, type Label, type Rom, RpcError, SessionError } from '@ginit/core';
import type { HostDirectory } from '@ginit/core/host';
import { FollowedSource } from './followed-source.ts';
import { fileInDirectory, grantedFile, type HostSource } from './host-source.ts';
import { HOST_ROM_CONFIG } from './schema.ts';

type HostRomEnv = Pick<Env, 'config' | 'host' | 'pd' | 'ram' | 'timer' | 'warning'>;

interface Served {
  readonly followed: FollowedSource;
  readonly ready: Promise<void>;
  readers: number;
}

/** Files of the host as ROM modules. */
export class HostRoms {
  readonly #env: HostRomEnv;
  readonly #directory: HostDirectory | undefined;
  readonly #served = new Map<string, Served>();

  /** Throws a `ConfigError` at the directory if it cannot be opened. */
  static async start(env: HostRomEnv): Promise<HostRoms> {
    const { directory, $node } = env.config.read(HOST_ROM_CONFIG);
    if (directory === undefined) return new HostRoms(env, undefined);
    try {
      return new HostRoms(env, await env.host.openDirectory(directory));
    } catch (error) {
      throw error instanceof RpcError ? $node.errorAt(error.message, 'directory') : error;
    }
  }

  constructor(env: HostRomEnv, directory: HostDirectory | undefined) {
    this.#env = env;
    this.#directory = directory;
  }

  /**
   * Answers a ROM session request: the last element of the label names the module. Throws
   * `SessionError`.
   */
  async open({ last: name }: Label): Promise<Implementation<typeof Rom>> {
    const served = this.#serve(name);
    served.readers++;
    await served.ready;
    return served.followed.rom.open(() => {
      served.readers--;
      if (served.readers > 0) return;
      this.#served.delete(name);
      void served.followed.close();
    });
  }

  #serve(name: string): Served {
    const known = this.#served.get(name);
    if (known) return known;
    const { interval_ms: intervalMs } = this.#env.config.read(HOST_ROM_CONFIG);
    const followed = new FollowedSource(this.#env, name, this.#sourceOf(name), intervalMs);
    const served: Served = { followed, ready: followed.start(), readers: 0 };
    this.#served.set(name, served);
    return served;
  }

  #sourceOf(name: string): HostSource {
    const { $children } = this.#env.config.read(HOST_ROM_CONFIG);
    const listed = $children.rom.find((rom) => rom.name === name);
    if (listed) return grantedFile(this.#env.host, listed.file ?? listed.name);
    if (this.#directory) return fileInDirectory(this.#directory, name);
    throw new SessionError('DENIED', `there is no ROM module "${name}"`);
  }
}
