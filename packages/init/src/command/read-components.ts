/**
 * Finds the components of a config, checks their imports, and then reads their manifests. Reading a
 * manifest runs the component's code, so it is done only for components that keep the one rule or
 * that the config grants something of the host.
 */
import { ConfigError, didYouMean, type Position } from '@ginit/core/config';
import { type ManifestAnswer, ManifestReader, type ResolvedBinary } from '@ginit/core/supervisor';
import { binariesOf, type ManifestFacts, manifestFactsFromData, startsOf } from '../check/index.ts';
import {
  ATTACHED,
  type Allowance,
  type ConfigWarning,
  hasOwnProcess,
  type InitConfig,
  type StartNode,
} from '../model/index.ts';
import type { Binaries } from './binaries.ts';
import { type ComponentImports, CORE } from './component-imports.ts';
import { describeAllowance, type ForbiddenImport, type ImportGraph, isHostModule } from './imports/index.ts';
import { stockManifest } from './stock.ts';
import { addTrust, type Trust } from './trust.ts';

/** The facts about the components of a config. */
export interface ReadComponents {
  /** The manifests by the path of the start node. */
  readonly manifests: Map<string, ManifestFacts>;
  readonly byName: Map<string, ResolvedBinary>;
  readonly trusted: Map<string, Trust>;
  readonly errors: ConfigError[];
  readonly warnings: ConfigWarning[];
  /**
   * The reason why manifests were not read in a jail, in words for people; `undefined` if they
   * were.
   */
  lack: string | undefined;
}

/** A place of the config that names a component. */
export interface ComponentUse {
  /**
   * The path of the start node; `undefined` for a component that may only be started further down.
   */
  readonly path: string | undefined;
  readonly name: string;
  readonly position: Position;
  /** Whether the config trusts the component with something of the host. */
  readonly granted: boolean;
  /** Whether the component has this trust without a jail around it. */
  readonly trustedFreely: boolean;
  readonly allowances: readonly Allowance[];
}

/** Lists every place in the config, and in the configs of nested inits, that names a component. */
export function componentUses(config: InitConfig): readonly ComponentUse[] {
  const starts = startsOf(config);
  // The code of a component that is attached is elsewhere.
  const here = starts.filter(({ start }) => start.binary.name !== ATTACHED);
  const uses = here.map(({ path, start }) => ({
    path,
    name: start.binary.name,
    position: start.binary.position,
    granted: start.host.length > 0,
    trustedFreely: isTrustedFreely(start),
    allowances: start.allowances,
  }));
  // A component that has a grant may hand it on to the components that it starts.
  const handedOn = starts.some(({ start }) => start.host.length > 0);
  const others = binariesOf(config).map(({ name, position }) => ({
    path: undefined,
    name,
    position,
    granted: handedOn,
    trustedFreely: false,
    allowances: [],
  }));
  return [...uses, ...others];
}

function isTrustedFreely(start: StartNode): boolean {
  const isTrusted = start.host.length > 0 || start.allowances.length > 0;
  return isTrusted && (!hasOwnProcess(start) || start.jail === 'no');
}

/** Finds the components, checks their imports and reads their manifests. */
export async function readComponents(
  config: InitConfig,
  binaries: Binaries,
  imports: ComponentImports,
): Promise<ReadComponents> {
  const result: ReadComponents = {
    manifests: new Map(),
    byName: new Map(),
    trusted: new Map(),
    errors: [],
    warnings: [],
    lack: undefined,
  };
  const uses = componentUses(config);
  const modules = new Map<string, string>();
  for (const { name, position } of uses) {
    const found = binaries.find(name);
    if ('problem' in found) result.errors.push(new ConfigError(found.problem, position));
    else modules.set(name, found.moduleUrl);
  }
  const answers = new Map<string, ManifestAnswer>();
  const toRead = new Set<string>();
  for (const [name, moduleUrl] of modules) {
    const known = stockManifest(name) ?? imports.knownManifest(moduleUrl);
    if (known) answers.set(moduleUrl, known);
    else toRead.add(moduleUrl);
  }
  // The process that reads manifests starts while the imports are checked.
  const reader = toRead.size === 0 ? undefined : new ManifestReader(toRead.size);
  // The caller may first want to start other processes.
  await Promise.resolve();
  const looked = uses.flatMap((use) => {
    const moduleUrl = modules.get(use.name);
    if (moduleUrl === undefined) return [];
    checkAllowances(use, imports.of(moduleUrl), result);
    return [{ use, moduleUrl, forbidden: imports.forbidden(moduleUrl, use) }];
  });
  for (const { use, moduleUrl, forbidden } of looked) {
    const binary = result.byName.get(use.name) ?? imports.binary(moduleUrl);
    result.byName.set(use.name, binary);
    if (use.path !== undefined && binary.takes !== 'nothing')
      addTrust(result.trusted, use.path, use.name, forbidden === undefined ? 'allowed' : 'granted');
  }
  const trusted = looked.filter(({ use, forbidden }) => use.granted || !forbidden);
  const readable = new Set(trusted.map(({ moduleUrl }) => moduleUrl).filter((url) => toRead.has(url)));
  // Reading a manifest must give a component nothing that its start would not give. It is read
  // without a jail only if the component uses the host and is started without a jail, too.
  const free = new Set(trusted.filter(({ use }) => use.trustedFreely).map(({ moduleUrl }) => moduleUrl));
  const requests = Array.from(readable, (moduleUrl) => {
    const isFree = free.has(moduleUrl) && imports.forbidden(moduleUrl) !== undefined;
    return { moduleUrl, files: isFree ? undefined : imports.readable(moduleUrl) };
  });
  for (const [moduleUrl, answer] of (await reader?.read(requests)) ?? []) {
    answers.set(moduleUrl, answer);
    imports.keepManifest(moduleUrl, answer);
  }
  if (requests.length > 0) result.lack = reader?.lack;
  for (const { use, moduleUrl, forbidden } of looked) {
    const answer = answers.get(moduleUrl);
    const facts = answer && knownFactsOf(answer);
    if (facts && 'problem' in facts && (use.granted || !forbidden)) {
      const text = `component "${use.name}" cannot be used: ${facts.problem}`;
      result.errors.push(new ConfigError(text, use.position));
      continue;
    }
    const isDriver = facts && !('problem' in facts) && use.granted && asksForHost(facts);
    if (forbidden && !isDriver) result.errors.push(forbiddenImport(use, forbidden));
    if (facts && !('problem' in facts) && use.path !== undefined) result.manifests.set(use.path, facts);
  }
  return result;
}

function asksForHost({ host, mayHost = [] }: ManifestFacts): boolean {
  return host.length > 0 || mayHost.length > 0;
}

/** Allowances are trust, so an allowance that has no effect is reported. */
function checkAllowances(
  { name, allowances }: ComponentUse,
  graph: ImportGraph,
  found: ReadComponents,
): void {
  if (allowances.length === 0) return;
  const importers = graph.imports.flatMap(({ importer }) => importer.name ?? []);
  // Another version of Node may have further modules, so an unknown name is checked against the
  // imports.
  const wanted = graph.imports.flatMap(({ target }) => (target.kind === 'builtin' ? target.name : []));
  for (const { module, uses, position } of allowances) {
    for (const used of uses.filter((one) => !isHostModule(one) && !wanted.includes(one))) {
      const text = `attribute "uses" of <allow>: "${used}" is no module of Node that needs to be allowed`;
      found.errors.push(new ConfigError(text, position));
    }
    if (importers.includes(module)) continue;
    const hint = didYouMean(module, [...new Set(importers)]);
    found.warnings.push({ text: `component "${name}" imports no package "${module}"${hint}`, position });
  }
}

/** What was made of manifests: several start nodes, and the next config, may name one component. */
const FACTS = new WeakMap<object, ReturnType<typeof factsOf>>();

function knownFactsOf(answer: ManifestAnswer): ReturnType<typeof factsOf> {
  const key: unknown = 'problem' in answer ? undefined : answer.manifest;
  if (typeof key !== 'object' || key === null) return factsOf(answer);
  const facts = FACTS.get(key) ?? factsOf(answer);
  FACTS.set(key, facts);
  return facts;
}

function factsOf(answer: ManifestAnswer): ManifestFacts | { readonly problem: string } {
  if ('problem' in answer) return answer;
  try {
    return manifestFactsFromData(answer.manifest);
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function forbiddenImport({ name, position }: ComponentUse, found: ForbiddenImport): ConfigError {
  const { what, broken, file, line, column, importer, allowance } = found;
  const place = `${file}:${line}:${column}`;
  if (broken) return new ConfigError(`component "${name}" cannot be used: ${what} at ${place}`, position);
  if (importer === '@ginit/core' && !file.startsWith(`${CORE}/`)) {
    const cause = `that file is of a second copy of @ginit/core; components must find the one that ginit runs with (${CORE})`;
    return new ConfigError(`component "${name}" ${what} at ${place}: ${cause}`, position);
  }
  const driver = 'a driver says what it needs in its manifest, and its start node grants it in <host>';
  const trust =
    allowance === undefined ? '' : `; ${describeAllowance(allowance)} would trust the package with it`;
  const rule = `a component reaches the world through env only (${driver}${trust})`;
  return new ConfigError(`component "${name}" ${what} at ${place}: ${rule}`, position);
}
