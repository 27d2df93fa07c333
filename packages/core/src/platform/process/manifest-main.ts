/**
 * A process that imports components only to read their manifests, so that a config can be checked before anything
 * starts. It takes module URLs over the IPC channel, one at a time, and answers each with the manifest as plain data or
 * with what went wrong.
 */
import { Component, type Manifest } from '../../component.ts';
import type { SessionInterface } from '../../interface/interface.ts';
import { describeCrash } from './crash-reason.ts';

function names(services: readonly SessionInterface[] | undefined): string[] {
  return (services ?? []).map(({ service }) => service);
}

function facts(manifest: Manifest): object {
  return {
    provides: names(manifest.provides),
    requires: names(manifest.requires),
    mayRequire: names(manifest.mayRequire),
    host: manifest.host ?? [],
    mayHost: manifest.mayHost,
    configSchema: manifest.config,
  };
}

async function read(moduleUrl: string): Promise<object> {
  try {
    const module: unknown = await import(moduleUrl);
    const exported: unknown =
      typeof module === 'object' && module !== null ? Reflect.get(module, 'default') : undefined;
    const component = Component.from(exported);
    if (!component) return { moduleUrl, problem: 'its module has no default export made by component()' };
    return { moduleUrl, manifest: facts(component.manifest) };
  } catch (error) {
    return { moduleUrl, problem: describeCrash(error) };
  }
}

process.on('message', (message: unknown) => {
  void read(String(message)).then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit());
