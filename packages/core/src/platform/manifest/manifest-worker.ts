/**
 * A thread that imports one component to read its manifest, and ends. So nothing that the
 * component's top-level code does to prototypes, globals or its thread meets another component. The
 * thread is started before it is known which module it gets.
 */
import { parentPort } from 'node:worker_threads';
import { Component, type Manifest } from '../../runtime/component.ts';
import type { SessionInterface } from '../../interface/interface.ts';
import { describeCrash } from '../wire/crash-reason.ts';
import { MANIFEST_LENGTH_MAX, type ManifestText } from '../wire/manifest-protocol.ts';

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

async function read(moduleUrl: string): Promise<ManifestText> {
  try {
    const module: unknown = await import(moduleUrl);
    const exported: unknown =
      typeof module === 'object' && module !== null ? Reflect.get(module, 'default') : undefined;
    const component = Component.from(exported);
    if (!component) return { problem: 'its module has no default export made by component()' };
    const text = JSON.stringify(facts(component.manifest));
    if (text.length > MANIFEST_LENGTH_MAX) return { problem: 'its manifest is too large' };
    return { text };
  } catch (error) {
    return { problem: describeCrash(error) };
  }
}

parentPort?.once('message', (moduleUrl: unknown) => {
  void read(String(moduleUrl)).then((answer) => parentPort?.postMessage(answer, []));
});
