/** Reads a config file and checks all that can be checked before anything starts. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, type ConfigNode, type Position } from '@ginit/core';
import { CoreServices, readManifests, type ResolvedBinary } from '@ginit/core/supervisor';
import {
  binariesOf,
  checkConfig,
  type ManifestFacts,
  manifestFactsFromData,
  startsOf,
} from '../check/index.ts';
import {
  type ConfigWarning,
  formatWarning,
  type InitConfig,
  type Quota,
  readInitConfig,
} from '../model/index.ts';
import { readXml } from '../xml/index.ts';
import { Binaries } from './binaries.ts';
import { findForbiddenImport, type ForbiddenImport } from './import-rule.ts';

/** A config, and all that is wrong with it. */
export interface CheckedConfig {
  readonly node: ConfigNode | undefined;
  readonly config: InitConfig | undefined;
  /** What it names to be started, by name. */
  readonly binaries: ReadonlyMap<string, ResolvedBinary>;
  /** In the order of the document; with any, nothing may be started. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads and checks `file`; `quota` is what the root of the tree will have. `readable` is told of a config in which nothing
 * is wrong as far as that can be seen without its components; then these are looked at.
 */
export async function readCheckedConfig(
  file: string,
  quota: Quota,
  readable: (config: InitConfig) => void = () => {},
): Promise<CheckedConfig> {
  const failed = (errors: readonly string[]): CheckedConfig => ({
    node: undefined,
    config: undefined,
    binaries: new Map(),
    errors,
    warnings: [],
  });
  let source: Uint8Array;
  try {
    source = readFileSync(file);
  } catch (error) {
    return failed([`ginit: cannot read ${file}: ${systemReason(error)}`]);
  }
  let node: ConfigNode;
  try {
    node = readXml(source, file);
  } catch (error) {
    if (error instanceof ConfigError) return failed([error.message]);
    throw error;
  }
  const reading = readInitConfig(node);
  const finding = readComponents(reading.config, new Binaries(dirname(file)));
  if (reading.errors.length === 0) readable(reading.config);
  const found = await finding;
  const parentServices = CoreServices.names;
  const checked = checkConfig(reading.config, found.manifests, { quota, parentServices });
  const errors = [...reading.errors, ...found.errors, ...checked.errors];
  const warnings = [...reading.warnings, ...found.warnings, ...checked.warnings];
  return {
    node,
    config: reading.config,
    binaries: found.binaries,
    errors: inOrder(errors).map(({ message }) => message),
    warnings: inOrder(warnings).map(formatWarning),
  };
}

interface ReadComponents {
  /** By the path of the start node. */
  readonly manifests: Map<string, ManifestFacts>;
  readonly binaries: Map<string, ResolvedBinary>;
  readonly errors: ConfigError[];
  readonly warnings: ConfigWarning[];
}

async function readComponents(config: InitConfig, binaries: Binaries): Promise<ReadComponents> {
  const result: ReadComponents = { manifests: new Map(), binaries: new Map(), errors: [], warnings: [] };
  const modules: { moduleUrl: string; name: string; position: Position }[] = [];
  for (const { name, position } of binariesOf(config)) {
    const found = binaries.find(name);
    if ('problem' in found) result.errors.push(new ConfigError(found.problem, position));
    else modules.push({ moduleUrl: found.moduleUrl, name, position });
  }
  const reading = readManifests(modules.map(({ moduleUrl }) => moduleUrl));
  // Meanwhile: another process does that.
  const looked = new Map<string, Promise<ForbiddenImport | undefined>>();
  for (const { moduleUrl } of modules)
    if (!looked.has(moduleUrl)) looked.set(moduleUrl, findForbiddenImport(moduleUrl));
  await Promise.allSettled(looked.values());
  const answers = await reading;
  const factsOf = new Map<string, ManifestFacts>();
  for (const { moduleUrl, name, position } of modules) {
    const answer = answers.get(moduleUrl) ?? { problem: 'its manifest was not read' };
    try {
      if ('problem' in answer) throw new Error(answer.problem);
      const facts = manifestFactsFromData(answer.manifest);
      factsOf.set(name, facts);
      result.binaries.set(name, { moduleUrl });
      const isDriver = facts.host.length > 0 || (facts.mayHost ?? []).length > 0;
      const found = !isDriver ? await looked.get(moduleUrl) : undefined;
      if (found) result.errors.push(forbiddenImport(name, found, position));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      result.errors.push(new ConfigError(`component "${name}" cannot be used: ${reason}`, position));
    }
  }
  for (const { path, start } of startsOf(config)) {
    const facts = factsOf.get(start.binary.name);
    if (facts) result.manifests.set(path, facts);
  }
  return result;
}

function forbiddenImport(
  name: string,
  { what, file, line, column }: ForbiddenImport,
  position: Position,
): ConfigError {
  const rule = 'a component reaches the world through env only (a driver says what it needs in its manifest)';
  return new ConfigError(
    `component "${name}" imports ${what} at ${file}:${line}:${column}: ${rule}`,
    position,
  );
}

function inOrder<T extends { readonly position: Position }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
}

function systemReason(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return typeof code === 'string' ? code : 'it cannot be read';
  }
}
