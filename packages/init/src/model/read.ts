import {
  comparePositions,
  ConfigError,
  ConfigNode,
  formatPosition,
  inspectConfig,
  type Position,
} from '@ginit/core/config';
import { withoutAliases } from '../routing/aliases.ts';
import { parseRoute } from '../routing/parse.ts';
import type { Alias, InitConfig, NamedPlace, ReportOptions, StartNode } from './init-config.ts';
import { readForwardedServices } from './forwarded.ts';
import { readPreserve } from './quota.ts';
import { type Findings, missing, servicesOf } from './reading.ts';
import {
  AFFINITY_SPACE_SCHEMA,
  HEARTBEAT_SCHEMA,
  type InitReading,
  INIT_SCHEMA,
  type StartReading,
} from './schema.ts';
import { readStart, type StartSurroundings } from './start.ts';
import type { ConfigWarning } from '../warning.ts';

/**
 * The result of reading a configuration. If there are errors, `config` is the part that could be
 * understood: check it, never run it.
 */
export interface InitConfigReading {
  readonly config: InitConfig;
  /** All errors, in the order of the document. */
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly ConfigWarning[];
}

/** Reads init's configuration from its tree. Lists all that is wrong, throws nothing. */
export function readInitConfig(node: ConfigNode): InitConfigReading {
  const reading = inspectConfig(node, INIT_SCHEMA);
  const { errors } = reading;
  if (node.type !== INIT_SCHEMA.type) {
    const nothing = new ConfigNode(INIT_SCHEMA.type, { position: node.position });
    const { config } = inspectConfig(nothing, INIT_SCHEMA);
    return { config: readTop(config, { errors: [], warnings: [] }), errors, warnings: [] };
  }
  const findings: Findings = { errors, warnings: [] };
  const config = readTop(reading.config, findings);
  checkNames(config, findings);
  return {
    config,
    errors: findings.errors.toSorted((left, right) => comparePositions(left.position, right.position)),
    warnings: findings.warnings.toSorted((left, right) => comparePositions(left.position, right.position)),
  };
}

function readTop(top: InitReading, findings: Findings): InitConfig {
  const parts = top.$children;
  const route = parts['default-route'];
  const aliases = parts.alias.flatMap(readAlias);
  const names = new Map(aliases.map(({ name, child }) => [name, child.name]));
  const space = parts['affinity-space'] ?? missing(AFFINITY_SPACE_SCHEMA);
  const around: StartSurroundings = {
    defaults: { ram: parts.default?.ram, caps: parts.default?.caps },
    // A width of 0 has been reported as an error already. The code behind this must never divide by
    // it.
    affinitySpace: { width: Math.max(1, space.width), height: Math.max(1, space.height) },
    hasAffinitySpace: parts['affinity-space'] !== undefined,
    prioLevels: readPrioLevels(top, findings),
    stepBounds: { boundMs: top.step_bound_ms, ceilingMs: top.step_ceiling_ms },
    jail: top.jail ?? 'default',
  };
  const aroundText = JSON.stringify(around);
  return {
    node: top.$node,
    version: top.version,
    verbose: top.verbose,
    summary: top.summary,
    prioLevels: around.prioLevels,
    parentProvides: servicesOf(parts['parent-provides'], findings),
    everyParentService: false,
    localServices: [],
    defaultRoute: route && withoutAliases(parseRoute(route, findings.warnings), names),
    defaults: around.defaults,
    preserve: readPreserve(top),
    affinitySpace: around.affinitySpace,
    report: readReport(parts.report),
    reportSyntax: top.generate_xml ? 'xml' : 'hid',
    stepBounds: around.stepBounds,
    heartbeatRateMs: (parts.heartbeat ?? missing(HEARTBEAT_SCHEMA)).rate_ms,
    starts: withoutDoubles(
      parts.start.flatMap((start) => {
        const read = readKnownStart(start, around, aroundText, findings);
        if (!read?.route || names.size === 0) return read ? [read] : [];
        return [{ ...read, route: withoutAliases(read.route, names) }];
      }),
      findings,
    ),
    binaries: parts.binary.flatMap(readNamedBinary),
    services: readForwardedServices(parts.service, names, findings),
    aliases,
  };
}

/** Start nodes in which nothing was found, with what else their reading depends on. */
const KNOWN_STARTS = new WeakMap<StartReading, { readonly around: string; readonly start: StartNode }>();

/**
 * Reads a start node; `around` is the text of `surroundings`, by which two are compared. A new
 * version of a config shares most of its elements with the one before, and those that are the same
 * need not be read again.
 */
function readKnownStart(
  reading: StartReading,
  surroundings: StartSurroundings,
  around: string,
  findings: Findings,
): StartNode | undefined {
  const known = KNOWN_STARTS.get(reading);
  if (known?.around === around) return known.start;
  const found = findings.errors.length + findings.warnings.length;
  const start = readStart(reading, surroundings, findings);
  if (start && findings.errors.length + findings.warnings.length === found)
    KNOWN_STARTS.set(reading, { around, start });
  return start;
}

function readPrioLevels({ prio_levels: levels, $node: node }: InitReading, findings: Findings): number {
  if (levels === 0) return 1;
  if (levels > 0 && Number.isInteger(Math.log2(levels))) return levels;
  const problem = 'which is no power of two: priorities are off';
  const text = `attribute "prio_levels" of <config> is ${levels}, ${problem}`;
  findings.warnings.push({ text, position: node.positionOf('prio_levels') });
  return 1;
}

function readReport(report: InitReading['$children']['report']): ReportOptions | undefined {
  if (report === undefined) return undefined;
  return {
    ids: report.ids,
    requested: report.requested,
    provided: report.provided,
    sessionArgs: report.session_args,
    childRam: report.child_ram,
    childCaps: report.child_caps,
    initRam: report.init_ram,
    initCaps: report.init_caps,
    delayMs: report.delay_ms,
    bufferBytes: report.buffer,
    vocabulary: report.vocabulary,
    why: report.why,
  };
}

type Named = { readonly name: string | undefined; readonly $node: ConfigNode };

function readNamedBinary({ name, $node }: Named): NamedPlace[] {
  return name === undefined || name === '' ? [] : [{ name, position: $node.positionOf('name') }];
}

function readAlias({ name, child, $node }: InitReading['$children']['alias'][number]): Alias[] {
  if (name === undefined || child === undefined) return [];
  return [
    {
      name,
      position: $node.positionOf('name'),
      child: { name: child, position: $node.positionOf('child') },
    },
  ];
}

/**
 * As in Genode a second start node of the same name and version takes the place of the first: there
 * is one child, where the first stands. That is nearly always a copied node whose name was
 * forgotten, so it is warned of. With another version Genode makes two children of one name. Here
 * that is an error, because routes could not tell the two apart.
 */
function withoutDoubles(starts: readonly StartNode[], findings: Findings): StartNode[] {
  const byName = new Map<string, StartNode>();
  for (const start of starts) {
    const first = byName.get(start.name);
    byName.set(start.name, first && first.version !== start.version ? first : start);
    if (!first) continue;
    const text = `start node "${start.name}" is already defined at ${formatPosition(first.position)}`;
    if (first.version !== start.version) findings.errors.push(new ConfigError(text, start.position));
    else findings.warnings.push({ text: `${text}; this one takes its place`, position: start.position });
  }
  return [...byName.values()];
}

/** No two children and no alias may have the same name. */
function checkNames(config: InitConfig, findings: Findings): void {
  const taken = new Map<string, Position>();
  const claim = ({ name, position }: NamedPlace, what: string) => {
    const first = taken.get(name);
    if (first === undefined) taken.set(name, position);
    else {
      const text = `${what} "${name}" is already defined at ${formatPosition(first)}`;
      findings.errors.push(new ConfigError(text, position));
    }
  };
  for (const start of config.starts) claim(start, 'start node');
  for (const alias of config.aliases) claim(alias, 'name');
}
