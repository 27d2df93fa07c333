/**
 * Reads the manifests of components in a process of their own, jailed if the host can do that:
 * importing a module runs its code.
 */
import { LIMITS } from '../../limits.ts';
import { jailMeans } from '../jail/lacks.ts';
import type { JailRules } from '../jail/rules.ts';
import { readerFiles } from '../jail/runtime-files.ts';
import { LOAD_TIMEOUT_MS, type ManifestText } from '../wire/manifest-protocol.ts';
import { type ReaderAnswers, ReaderProcess } from './reader-process.ts';

/** A manifest as plain data, not looked at yet, or why there is none. */
export type ManifestAnswer = { readonly manifest: unknown } | { readonly problem: string };

/** A module whose manifest is wanted. */
export interface ModuleToRead {
  readonly moduleUrl: string;
  /**
   * Real, absolute paths of all that it and our runtime are made of. It is read in a jail in which
   * these are readable, and nothing else can be had; `undefined` of one that is trusted with the
   * host where it is started, too.
   */
  readonly files: readonly string[] | undefined;
}

/**
 * Reads manifests in one process, each in a thread of its own; those that are read without a jail in another one. Should a
 * module bring down its process all the same, those that have no answer yet are read again, each in its own process: so
 * it is that module that fails, and no other.
 */
export class ManifestReader {
  readonly #timeoutMs: number;
  readonly #means = jailMeans();
  #ahead: ReaderProcess | undefined;

  /** Starts a process at once; `count`: how many modules are going to be read, `timeoutMs`: how long each may take to load. */
  constructor(count: number, timeoutMs = LOAD_TIMEOUT_MS) {
    this.#timeoutMs = timeoutMs;
    this.#ahead = this.#process(count);
  }

  /** Why nothing is jailed here, in words for people; undefined if it is. */
  get lack(): string | undefined {
    return typeof this.#means === 'string' ? this.#means : undefined;
  }

  /** Reads the manifests of these modules, each given once, and ends. The answers are by their URLs. */
  async read(modules: readonly ModuleToRead[]): Promise<Map<string, ManifestAnswer>> {
    const reading = this.#groups(modules).map((some) => this.#readTogether(some));
    this[Symbol.dispose]();
    return new Map((await Promise.all(reading)).flat());
  }

  /** Ends without reading anything. */
  [Symbol.dispose](): void {
    this.#ahead?.end();
    this.#ahead = undefined;
  }

  /** Those that share a process: without a jail, or in one that has room for the files of all. */
  #groups(modules: readonly ModuleToRead[]): ModuleToRead[][] {
    const free: ModuleToRead[] = [];
    const jailed: ModuleToRead[][] = [];
    const ours = typeof this.#means === 'string' ? 0 : readerFiles(this.#means.calls).length;
    let count = Number.POSITIVE_INFINITY;
    for (const module of modules) {
      const size = module.files?.length;
      if (size === undefined || this.lack !== undefined) {
        free.push(module);
        continue;
      }
      if (count + size > LIMITS.jailFiles) {
        jailed.push([]);
        count = ours;
      }
      jailed.at(-1)?.push(module);
      count += size;
    }
    return [...jailed, free].filter((group) => group.length > 0);
  }

  async #readTogether(modules: readonly ModuleToRead[]): Promise<[string, ManifestAnswer][]> {
    const together = await this.#readIn(modules);
    const answers: [string, ManifestAnswer][] = [];
    for (const module of modules) {
      const { moduleUrl } = module;
      const answer = together.get(moduleUrl) ??
        (await this.#readIn([module])).get(moduleUrl) ?? { problem: 'its module ends or stops its process' };
      const isJailed = module.files !== undefined && this.lack === undefined;
      answers.push([moduleUrl, isJailed ? explained(answerOf(answer)) : answerOf(answer)]);
    }
    return answers;
  }

  #readIn(modules: readonly ModuleToRead[]): Promise<ReaderAnswers> {
    const process = this.#ahead ?? this.#process(modules.length);
    this.#ahead = undefined;
    return process.read(
      modules.map(({ moduleUrl }) => moduleUrl),
      this.#rulesFor(modules),
    );
  }

  #rulesFor(modules: readonly ModuleToRead[]): JailRules | undefined {
    if (typeof this.#means === 'string' || modules.some(({ files }) => files === undefined)) return undefined;
    const code = new Set(modules.flatMap(({ files = [] }) => files));
    return { code: [...code, ...readerFiles(this.#means.calls)], grants: [] };
  }

  #process(count: number): ReaderProcess {
    return new ReaderProcess({ count, timeoutMs: this.#timeoutMs, jailable: this.lack === undefined });
  }
}

function answerOf(answer: ManifestText): ManifestAnswer {
  if ('problem' in answer) return answer;
  try {
    return { manifest: JSON.parse(answer.text) };
  } catch {
    return { problem: 'its manifest cannot be read' };
  }
}

/** Whoever is refused by a jail is told of it. */
function explained(answer: ManifestAnswer): ManifestAnswer {
  if (!('problem' in answer) || !/\b(?:EACCES|EPERM)\b/.test(answer.problem)) return answer;
  const jail = 'its manifest is read in a jail without grants: what needs the host belongs into its function';
  return { problem: `${answer.problem} (${jail})` };
}
