/** A component's config: the newest version of the ROM `config`, and word of newer ones. */
import { ConfigNode, fromData } from '../config/index.ts';

/** Reads the content of a `config` ROM. An absent or empty one is an empty `<config/>`. */
export function parseConfig(content: Uint8Array | undefined): ConfigNode {
  if (!content || content.byteLength === 0) return ConfigNode.empty('config');
  const data: unknown = JSON.parse(new TextDecoder().decode(content));
  return fromData(data);
}

/** The config as components see it. Accessors read the newest version. */
export class Config {
  #node: ConfigNode;
  readonly #handlers: ((node: ConfigNode) => void | Promise<void>)[] = [];
  readonly #report: (error: unknown) => void;

  constructor(node: ConfigNode, report: (error: unknown) => void) {
    this.#node = node;
    this.#report = report;
  }

  /** The whole tree. */
  get node(): ConfigNode {
    return this.#node;
  }

  /** An attribute of the top node. See `ConfigNode` for errors. */
  string(name: string, fallback?: string): string {
    return this.#node.string(name, fallback);
  }

  integer(name: string, fallback?: number): number {
    return this.#node.integer(name, fallback);
  }

  bytes(name: string, fallback?: number): number {
    return this.#node.bytes(name, fallback);
  }

  boolean(name: string, fallback?: boolean): boolean {
    return this.#node.boolean(name, fallback);
  }

  /** Calls `handler` with every newer version. A config is state: applying one twice must change nothing. */
  onUpdate(handler: (node: ConfigNode) => void | Promise<void>): void {
    this.#handlers.push(handler);
  }

  /** For the runtime: a newer version has arrived. */
  async replace(node: ConfigNode): Promise<void> {
    this.#node = node;
    for (const handler of this.#handlers) {
      try {
        await handler(node);
      } catch (error) {
        this.#report(error);
      }
    }
  }
}
