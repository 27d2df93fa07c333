/** TypeScript as Node itself runs it: types are replaced by blanks, so that every place stays what it was. */
import * as nodeModule from 'node:module';

/** The source without its types; `undefined` if that cannot be done. */
export function strippedTypes(source: string): string | undefined {
  const strip: unknown = Reflect.get(nodeModule, 'stripTypeScriptTypes');
  if (typeof strip !== 'function') return undefined;
  try {
    const stripped: unknown = quietly(() => Reflect.apply(strip, undefined, [source]));
    return typeof stripped === 'string' ? stripped : undefined;
  } catch {
    return undefined;
  }
}

/** Node says that this is experimental; the component's own thread is where that belongs. */
function quietly<T>(act: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return act();
  } finally {
    process.emitWarning = emitWarning;
  }
}
