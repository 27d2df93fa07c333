/** A component's config: the newest version of the ROM `config`, and word of newer ones. */
import { ConfigNode, type ConfigOf, type ElementSchema, fromData, readConfig } from '../config/index.ts';

/** Reads the content of a `config` ROM. An absent or empty one is an empty `<config/>`. */
export function parseConfig(content: Uint8Array | undefined): ConfigNode {
  if (!content || content.byteLength === 0) return ConfigNode.empty('config');
  const data: unknown = JSON.parse(new TextDecoder().decode(content));
  return fromData(data);
}

/** The config as components see it: always the newest version. */
export class Config {
  #node: ConfigNode;
  readonly #handlers: ((node: ConfigNode) => void | Promise<void>)[] = [];
  readonly #report: (error: unknown) => void;

  constructor(node: ConfigNode, report: (error: unknown) => void) {
    this.#node = node;
    this.#report = report;
  }

  /** The whole tree, as it was written: for places in messages, and for configs that have no schema. */
  get node(): ConfigNode {
    return this.#node;
  }

  /**
   * What it says, by the schema that the component's manifest has, with the schema's fallbacks for what it does not say:
   * `ConfigOf` has the shape of the result. Throws a `ConfigError` with its place for the first thing that is wrong.
   */
  read<Schema extends ElementSchema>(schema: Schema): ConfigOf<Schema> {
    return readConfig(this.#node, schema);
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
