/** Puts a canary into a module as it is loaded. A module that has no place for it does not load. */
import { CANARIES } from './canaries.mjs';

/** The source of the module at `url`, broken if it is the canary's. */
export function broken(name, url, source) {
  const { module, from, to } = CANARIES[name];
  if (source === undefined || source === null || !new URL(url).pathname.endsWith(module)) return source;
  const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
  if (text.split(from).length !== 2) throw new Error(`canary ${name}: "${from}" is not once in ${module}`);
  return text.replace(from, () => to);
}
