/** `ginit bus config`: writes the configuration of a nats-server. */
import { natsServerConfig } from '@ginit/core/nats';
import { KeyList } from '../keys/key-list.ts';
import type { ServerOptions } from './options.ts';

/** The text of a configuration, and how many keys it has; or everything that is wrong. */
export type MadeConfig =
  | { readonly text: string; readonly keys: number }
  | { readonly problems: readonly string[] };

/** Reads the lists of keys, and makes the configuration. */
export function madeConfig({ words, lists, parts }: ServerOptions): MadeConfig {
  const list = new KeyList();
  for (const word of words) list.addWord(word);
  for (const file of lists) list.addFile(file);
  const { keys, names, problems } = list;
  if (problems.length > 0) return { problems };
  return { text: natsServerConfig({ ...parts, keys, names }), keys: keys.length };
}
