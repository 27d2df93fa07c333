/**
 * The live config: a new version of the config file is checked as a whole, and then applied to the
 * running system. A version that is refused changes nothing. With the code of components it is the
 * same: their files are looked at again, and the children that run them are started again.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { configContent } from '@ginit/core/config';
import { ROOT_LABEL, type Supervisor, type SystemConfig } from '@ginit/core/supervisor';
import { prependLabel } from '@ginit/core/system';
import { startable } from './binaries.ts';
import type { CheckedConfig } from './checked-config.ts';
import { grantsOf } from './grant-targets.ts';
import type { Output } from './output.ts';
import { componentUses } from './read-components.ts';
import { FilesWatch, type WatchTimes } from './watch/files-watch.ts';

/** A checked config in which nothing is wrong. */
export type FreeOfErrors = Omit<CheckedConfig, 'node' | 'config'> & {
  readonly node: NonNullable<CheckedConfig['node']>;
  readonly config: NonNullable<CheckedConfig['config']>;
};

/** The config, if nothing is wrong with it. */
export function freeOfErrors(checked: CheckedConfig): FreeOfErrors | undefined {
  const { node, config, errors } = checked;
  return errors.length > 0 || !node || !config ? undefined : { ...checked, node, config };
}

/** The config as the supervisor takes it. */
export function systemConfigOf({ node, config, binaries, imports, targets }: FreeOfErrors): SystemConfig {
  return {
    findBinary: startable(binaries, imports),
    grants: grantsOf(config, targets),
    config: configContent(node),
  };
}

/** The parts that a live config works with. */
export interface LiveConfigParts {
  /** The file as the command line names it, for messages. */
  readonly file: string;
  /** Checks a version of the file; what the check `before` has read need not be read again. */
  readonly check: (source: Uint8Array, before: CheckedConfig) => Promise<CheckedConfig>;
  readonly supervisor: Pick<Supervisor, 'reconfigure' | 'act'>;
  readonly output: Pick<Output, 'say' | 'plain'>;
  /** Whether the files of components are watched, too. */
  readonly code?: boolean;
  /** Called with a new version just before it is applied. */
  readonly applied?: (config: FreeOfErrors) => void;
  /** Called while a new version is looked at, with true, and when that is over, with false. */
  readonly reloading?: (is: boolean) => void;
  readonly times?: Partial<WatchTimes>;
}

/** Why the file is looked at. */
type Cause = 'changed' | 'code' | 'asked';

/** Follows a config file. */
export class LiveConfig {
  readonly #parts: LiveConfigParts;
  readonly #path: string;
  readonly #watch: FilesWatch;
  #applied: FreeOfErrors;
  /** The last check, whatever came of it. */
  #checked: CheckedConfig;
  /** Of each start node, by its path: which code it runs. */
  #codes: ReadonlyMap<string, string>;
  /** The version that was looked at last, whatever came of it. */
  #seen: Uint8Array;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(parts: LiveConfigParts, first: FreeOfErrors) {
    this.#parts = parts;
    this.#path = resolve(parts.file);
    this.#applied = first;
    this.#checked = first;
    this.#codes = this.#codesOf(first);
    this.#seen = first.source;
    this.#watch = new FilesWatch((files) => this.#changed(files), parts.times);
    this.#watchFiles(first);
    // It may have changed between its check and the watch.
    void this.#look('changed');
  }

  /** The version in force. */
  get applied(): FreeOfErrors {
    return this.#applied;
  }

  /**
   * Applies the file as it is now. One that is in force already stays; one that was refused is
   * looked at again, because the files that it names may be others by now.
   */
  reload(): Promise<void> {
    return this.#look('asked');
  }

  close(): void {
    this.#closed = true;
    this.#watch.close();
  }

  #changed(files: readonly string[]): void {
    const code = files.some((file) => file !== this.#path);
    void this.#look(code ? 'code' : 'changed');
  }

  #look(cause: Cause): Promise<void> {
    this.#working = this.#working
      .then(() => this.#reload(cause))
      .catch((error: unknown) => this.#parts.output.say(`${this.#parts.file}: ${String(error)}`));
    return this.#working;
  }

  async #reload(cause: Cause): Promise<void> {
    if (this.#closed) return;
    const { file, output, reloading } = this.#parts;
    let source: Uint8Array;
    try {
      source = readFileSync(this.#path);
    } catch (error) {
      // Somebody may be about to put a new one there.
      if (cause === 'asked')
        output.say(`${file} cannot be read (${codeOf(error)}); the system runs on as it is`);
      return;
    }
    const refused = Buffer.compare(this.#seen, this.#applied.source) !== 0;
    const same = Buffer.compare(source, this.#seen) === 0;
    if (same && cause !== 'code' && !(refused && cause === 'asked')) return;
    this.#seen = source;
    reloading?.(true);
    try {
      await this.#apply(source);
    } finally {
      reloading?.(false);
    }
  }

  async #apply(source: Uint8Array): Promise<void> {
    const { file, check, supervisor, output } = this.#parts;
    const checked = await check(source, this.#checked);
    this.#checked = checked;
    if (this.#closed) return;
    for (const text of [...checked.warnings, ...checked.errors]) output.plain(text);
    const sound = freeOfErrors(checked);
    if (!sound) {
      output.say(`${file}: this version is refused; the system runs on as it is`);
      return;
    }
    const isNew = Buffer.compare(source, this.#applied.source) !== 0;
    const [before, now] = [this.#codes, this.#codesOf(sound)];
    const restarts = [...now].flatMap(([path, code]) => {
      const old = before.get(path);
      return old === undefined || old === code ? [] : [prependLabel(ROOT_LABEL, path)];
    });
    this.#applied = sound;
    this.#codes = now;
    this.#watchFiles(sound);
    if (!isNew && restarts.length === 0) return;
    this.#parts.applied?.(sound);
    supervisor.reconfigure(systemConfigOf(sound));
    if (isNew) output.say(`${file}: the new version is applied`);
    for (const label of restarts) {
      output.say(`[${label}] is started again: its code has changed`);
      const problem = await supervisor.act('restart', label);
      if (problem !== undefined) output.say(`[${label}] cannot be started again: ${problem}`);
    }
  }

  /** With the code also what would be loaded instead of a file of it, if it came. */
  #watchFiles({ binaries, imports }: FreeOfErrors): void {
    const found = this.#parts.code === true ? [...binaries.byName.values()] : [];
    const code = found.flatMap(({ files }) => files);
    const absent = found.flatMap(({ moduleUrl }) => imports.of(moduleUrl).absent);
    const elsewhere = this.#parts.code === true ? binaries.absent : [];
    this.#watch.set(new Set([this.#path, ...code]), new Set([...absent, ...elsewhere]));
  }

  /** The code that each start node runs, by a hash over the files that are loaded for it. */
  #codesOf({ config, binaries }: FreeOfErrors): ReadonlyMap<string, string> {
    if (this.#parts.code !== true) return new Map();
    const hashes = new Map<string, string>();
    const hashOf = (file: string): string => {
      const known = hashes.get(file) ?? hashOfFile(file);
      hashes.set(file, known);
      return known;
    };
    const uses = componentUses(config).flatMap(({ path, name }) =>
      path === undefined ? [] : [{ path, name }],
    );
    return new Map(
      uses.map(({ path, name }) => {
        const binary = binaries.byName.get(name);
        return [path, `${binary?.moduleUrl} ${binary?.files.map(hashOf).join(' ')}`];
      }),
    );
  }
}

function hashOfFile(file: string): string {
  try {
    return createHash('sha1').update(readFileSync(file)).digest('base64');
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : 'no reason is known';
}
