/**
 * Resolves the paths of grants on the host. Each path is looked up once: drivers get exactly the
 * file that the check has seen, even if somebody changes links meanwhile.
 */
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { ResolvedGrant } from '@ginit/core/supervisor';
import type { HostGrant, InitConfig } from '../model/index.ts';

/** The file or directory that a path leads to. */
interface Target {
  readonly real: string;
  /** Equal for two paths that lead to one file. */
  readonly identity: string;
}

/** The targets of one config. */
export class GrantTargets {
  readonly #directory: string;
  readonly #known = new Map<string, Target>();

  /** `directory` is the config file's: paths are relative to it. */
  constructor(directory: string) {
    this.#directory = resolve(directory);
  }

  identityOf(path: string): string {
    return this.#at(path).identity;
  }

  /** The grant in the form that the supervisor takes. */
  resolve({ kind, path, access }: Pick<HostGrant, 'kind' | 'path' | 'access'>): ResolvedGrant {
    return { kind, path, access, target: this.#targetOf(kind, path) };
  }

  #targetOf(kind: HostGrant['kind'], path: string): string {
    switch (kind) {
      case 'tcp-listen':
      case 'tcp-connect':
        return path;
      case 'program':
        // Many programs behave by the name that they are started under, and that name may be a
        // link. So the link is kept.
        return resolve(this.#directory, path);
      case 'unix-listen':
        // The socket is created under this name, so a link of that name is never followed.
        return join(this.#at(dirname(path)).real, basename(path));
      case 'file':
      case 'directory':
      case 'device':
      case 'mount':
      case 'unix-connect':
        return this.#at(path).real;
    }
  }

  #at(path: string): Target {
    const whole = resolve(this.#directory, path);
    let target = this.#known.get(whole);
    if (!target) {
      target = lookUp(whole);
      this.#known.set(whole, target);
    }
    return target;
  }
}

/** The grants that the config gives of the host. */
export function grantsOf(config: InitConfig, targets: GrantTargets): ResolvedGrant[] {
  return config.starts.flatMap(({ host }) => host).map((grant) => targets.resolve(grant));
}

/** A path that does not exist yet is resolved to the place where it would be. */
function lookUp(path: string): Target {
  try {
    const real = realpathSync.native(path);
    const { dev, ino } = statSync(real);
    return { real, identity: `inode ${dev}:${ino}` };
  } catch {
    const parent = dirname(path);
    const real = parent === path ? path : join(lookUp(parent).real, basename(path));
    return { real, identity: real };
  }
}
