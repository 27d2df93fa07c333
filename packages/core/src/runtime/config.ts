/**
 * A component's config: the newest version of the ROM `config`, and handlers for newer versions.
 */
import { ConfigNode, type ConfigOf, type ElementSchema, readConfig } from '../config/index.ts';
import { readNode, syntaxOf } from '../config/syntax/index.ts';

/**
 * Reads the content of a `config` ROM: XML, HID, or the data form in which a parent hands on what
 * it has read itself. An absent or blank one is an empty `<config/>`. Throws a `ConfigError`.
 */
export function parseConfig(content: Uint8Array | undefined): ConfigNode {
  if (!content || syntaxOf(content) === undefined) return ConfigNode.empty('config');
  return readNode(content, { name: 'config', relaxed: true });
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

  /** The whole tree as it was written: for places in messages, and for configs without a schema. */
  get node(): ConfigNode {
    return this.#node;
  }

  /**
   * Reads the config by its schema, normally the one in the component's manifest. The type of the
   * result is inferred from the schema (`ConfigOf`), and the schema's fallbacks stand for what is
   * missing. Throws a `ConfigError` with the place of the first thing that is wrong.
   */
  read<Schema extends ElementSchema>(schema: Schema): ConfigOf<Schema> {
    return readConfig(this.#node, schema);
  }

  /**
   * Calls `handler` with every newer version. A config is state: applying one twice must change
   * nothing.
   */
  onUpdate(handler: (node: ConfigNode) => void | Promise<void>): void {
    this.#handlers.push(handler);
  }

  /** For the runtime: puts a newer version in place and calls the handlers. */
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
