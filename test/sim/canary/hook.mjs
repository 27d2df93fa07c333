/** Canaries where Node loads hooks into a thread of their own (20 and the first releases of 22). */
import { broken } from './break.mjs';

let name = '';

export function initialize(data) {
  name = data.name;
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  return url.startsWith('file:') ? { ...loaded, source: broken(name, url, loaded.source) } : loaded;
}
