import { attribute, element, type ElementSchema, enclosing, policyElements } from '@ginit/core/config';
import type { InitConfig } from '../src/model/index.ts';
import { type ManifestFacts, startsOf } from '../src/check/index.ts';

/*
 * Made-up components for the checker's tests, some named and shaped like stock ones. Their
 * manifests show what a manifest can say; they are not those of the real components.
 */

const configOf = (parts: Omit<ElementSchema, 'type' | 'doc'>) => element('config', 'A configuration', parts);
const facts = (parts: Partial<ManifestFacts>): ManifestFacts => ({
  provides: [],
  requires: [],
  host: [],
  ...parts,
});

const write = element('write', 'Writes', {
  attributes: { path: attribute.text('Where', { required: true }) },
  text: 'required',
});
const others = ['ls', 'sha256', 'sync'].map((type) =>
  element(type, 'Does something', { attributes: { path: attribute.text('Where') } }),
);
const repeat = element('repeat', 'Again', {
  attributes: { count: attribute.integer('How often', { required: true, min: 1 }) },
  children: [write, ...others, enclosing('repeat')],
});
const partition = {
  partition: attribute.integer('Number', { min: 1 }),
  writeable: attribute.boolean('May write'),
};

export const components: Readonly<Record<string, ManifestFacts>> = {
  idle: facts({}),
  init: facts({}),
  ram_block: facts({
    provides: ['Block'],
    configSchema: configOf({
      attributes: {
        size: attribute.bytes('Size', { required: true }),
        block_size: attribute.bytes('Size of a block', { min: 512 }),
      },
      children: policyElements({ writeable: attribute.boolean('May write') }),
    }),
  }),
  file_block: facts({
    provides: ['Block'],
    host: ['file'],
    configSchema: configOf({
      attributes: {
        file: attribute.text('Path', { required: true }),
        block_size: attribute.bytes('Size of a block', { min: 512 }),
        writeable: attribute.boolean('May write'),
      },
    }),
  }),
  part_block: facts({
    provides: ['Block'],
    requires: ['Block'],
    configSchema: configOf({ children: policyElements(partition) }),
  }),
  blockcache: facts({
    provides: ['Block'],
    requires: ['Block'],
    mayRequire: ['Timer'],
    configSchema: configOf({
      attributes: {
        policy: attribute.oneOf('Replacement', ['auto', 'lru']),
        mode: attribute.oneOf('When a write is acknowledged', ['write-back', 'write-through']),
      },
    }),
  }),
  rumpfs: facts({
    provides: ['File_system'],
    requires: ['Block'],
    configSchema: configOf({
      attributes: { fs: attribute.text('Which') },
      children: policyElements({
        root: attribute.text('Directory'),
        writeable: attribute.boolean('May write'),
      }),
    }),
  }),
  fs_tool: facts({
    requires: ['File_system'],
    configSchema: configOf({ children: [write, ...others, repeat] }),
  }),
  block_tool: facts({ requires: ['Block'] }),
  timer_tool: facts({ requires: ['Timer'] }),
  relay: facts({ provides: ['Block'], requires: ['Block'] }),
  server: facts({ host: ['tcp-listen'] }),
};

/** The facts of all components that a configuration names, by their path. */
export function manifestsOf(config: InitConfig): Map<string, ManifestFacts> {
  const manifests = new Map<string, ManifestFacts>();
  for (const { path, start } of startsOf(config)) {
    const found = components[start.binary.name];
    if (found !== undefined) manifests.set(path, found);
  }
  return manifests;
}
