/**
 * Hosts with a network of their own for tests: network namespaces, each with a cable to this
 * machine. Only root can make them, and not everywhere.
 */
import { spawnSync } from 'node:child_process';
import { PATH } from './programs.ts';

const ip = (...words: readonly string[]): boolean =>
  spawnSync('ip', words, { stdio: 'ignore', env: { ...process.env, PATH } }).status === 0;

/** One host. */
export class NetworkHost implements Disposable {
  /** The address by which it reaches this machine. */
  readonly gateway: string;
  readonly #name: string;
  readonly #cable: string;

  /** `index` tells the hosts of one test apart. */
  constructor(index: number) {
    this.#name = `ginit-${process.pid}-${index}`;
    this.#cable = `g${process.pid}-${index}`;
    this.gateway = `10.213.${index}.1`;
  }

  /** False if this machine gives no network namespaces. */
  make(): boolean {
    const inside = (...words: readonly string[]): boolean => ip('-n', this.#name, ...words);
    return (
      ip('netns', 'add', this.#name) &&
      ip('link', 'add', this.#cable, 'type', 'veth', 'peer', 'name', 'cable', 'netns', this.#name) &&
      ip('address', 'add', `${this.gateway}/30`, 'dev', this.#cable) &&
      ip('link', 'set', this.#cable, 'up') &&
      inside('address', 'add', this.gateway.replace(/1$/, '2/30'), 'dev', 'cable') &&
      inside('link', 'set', 'cable', 'up')
    );
  }

  /** The words in front of a command that is to run there. */
  get prefix(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name];
  }

  /** Plugs the cable in, or out. */
  connect(connected: boolean): void {
    ip('link', 'set', this.#cable, connected ? 'up' : 'down');
  }

  [Symbol.dispose](): void {
    ip('link', 'delete', this.#cable);
    ip('netns', 'delete', this.#name);
  }
}
