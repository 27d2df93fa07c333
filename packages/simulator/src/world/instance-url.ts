/**
 * The name of a module of one component instance: its URL with the instance in the query.
 * Everything that such a module imports belongs to the same instance, so two start nodes with one
 * binary share no state. The exception is our own runtime, which belongs to the platform.
 */

const KEY = 'ginit-instance';
const SUFFIX = new RegExp(`[?&]${KEY}=[\\w.]+`, 'g');
const FOUND = new RegExp(`[?&](${KEY}=[\\w.]+)`);

/** The module's URL for an instance. */
export function instanceUrl(moduleUrl: string, instance: string): string {
  return `${moduleUrl}${moduleUrl.includes('?') ? '&' : '?'}${KEY}=${instance}`;
}

/**
 * The URL of a module that `parent` imports; `found` is the URL that the import has by itself, and
 * `shared` the URL below which the runtime lies.
 */
export function inherit(found: string, parent: string | undefined, shared: string): string {
  const instance = parent === undefined ? undefined : FOUND.exec(parent)?.[1];
  if (instance === undefined || !found.startsWith('file:') || found.startsWith(shared)) return found;
  return FOUND.test(found) ? found : `${found}${found.includes('?') ? '&' : '?'}${instance}`;
}

/** A text for people, without the instances. */
export function withoutInstance(text: string): string {
  return text.includes(KEY) ? text.replace(SUFFIX, '') : text;
}
