import { ConfigError, shown } from '@ginit/core/config';
import { grantText } from '@ginit/core/host';
import { childNameProblem, type JailDemand } from '@ginit/core/system';
import { parseRoute } from '../routing/parse.ts';
import { readAllowances } from './allow.ts';
import { readAffinity } from './affinity.ts';
import { readHostGrants } from './host.ts';
import type {
  HostGrant,
  InitConfig,
  NamedPlace,
  RestartBudget,
  StartNode,
  StepBounds,
} from './init-config.ts';
import { isHolder } from './holder-name.ts';
import { hasOwnProcess, isDriver, type Placed } from './start-cost.ts';
import { ATTACHED, isElsewhere, readPlace } from './place.ts';
import { readQuota } from './quota.ts';
import { type Findings, servicesOf } from './reading.ts';
import type { StartReading } from './schema.ts';

/** The settings around a start node that its reading depends on. */
export interface StartSurroundings {
  readonly defaults: InitConfig['defaults'];
  readonly affinitySpace: InitConfig['affinitySpace'];
  readonly hasAffinitySpace: boolean;
  readonly prioLevels: number;
  readonly stepBounds: StepBounds;
  /** The default for processes of children whose start nodes do not say whether they are jailed. */
  readonly jail: JailDemand;
}

/**
 * Reads a domain's name. It follows the rules for names of children, because it appears in labels
 * of processes and in texts for people.
 */
function readDomain({ domain, $node }: StartReading, findings: Findings): string | undefined {
  const problem = domain === undefined ? undefined : childNameProblem(domain);
  if (domain === undefined || problem === undefined) return domain;
  findings.errors.push(
    $node.errorAt(`attribute "domain" of <start> is ${shown(domain)}, ${problem}`, 'domain'),
  );
  return undefined;
}

/** Reads a `<start>`; `undefined` if it has no name, or none that can be used. */
export function readStart(
  start: StartReading,
  around: StartSurroundings,
  findings: Findings,
): StartNode | undefined {
  const { name, $node: node, $children: parts } = start;
  if (name === undefined) return undefined;
  const problem = childNameProblem(name);
  if (problem !== undefined) {
    findings.errors.push(node.errorAt(`attribute "name" of <start> is ${shown(name)}, ${problem}`, 'name'));
    return undefined;
  }
  const { route } = parts;
  const host = readHostGrants(parts.host, findings);
  const binary = parts.attach ? attachedBinary(start, findings) : readBinary(start, name, findings);
  // On another machine each component has a process of its own.
  const elsewhere = isElsewhere(start);
  const isolation = start.isolation === 'jail' || elsewhere ? 'process' : start.isolation;
  const domain = readDomain(start, findings);
  const placed = { isolation, domain, host, binary };
  const jail = readJail(start, placed, around, findings);
  return {
    name,
    version: start.version,
    ...readQuota(start, name, around.defaults, findings),
    heap: start.heap,
    priority: readPriority(start, around.prioLevels, findings),
    managingSystem: start.managing_system,
    usesLinker: start.ld,
    isolation,
    jail,
    confines:
      start.isolation === 'jail' || (!isHolder(binary.name) && hasOwnProcess(placed) && jail !== 'no'),
    domain,
    place: readPlace(start, host, findings),
    ramLimit: start.ram_limit,
    reattach: start.reattach,
    replaceReady: readReplace(start, host, findings),
    binary,
    provides: servicesOf(parts.provides, findings),
    route: route === undefined ? undefined : parseRoute(route, findings.warnings),
    config: parts.config?.$node,
    configFile: readConfigFile(start, findings),
    exitPropagate: parts.exit?.propagate === true,
    restart: readRestart(parts.restart),
    host,
    hostDepth: parts.host?.depth,
    allowances: readAllowances(start, findings),
    affinity: readAffinity(start, around, findings),
    heartbeat: readHeartbeat(parts.heartbeat),
    stepBounds: {
      boundMs: start.step_bound_ms ?? around.stepBounds.boundMs,
      ceilingMs: start.step_ceiling_ms ?? around.stepBounds.ceilingMs,
    },
    element: node,
    position: node.position,
  };
}

function readBinary(start: StartReading, startName: string, findings: Findings): NamedPlace {
  const { binary } = start.$children;
  if (binary?.name === undefined) return { name: startName, position: start.$node.positionOf('name') };
  const { name, $node } = binary;
  if (name === '') findings.errors.push($node.errorAt('attribute "name" of <binary> is empty', 'name'));
  return { name, position: $node.positionOf('name') };
}

/** The code of a child that is attached is where it is attached from. */
function attachedBinary({ $children: { binary }, $node }: StartReading, findings: Findings): NamedPlace {
  if (binary) findings.errors.push(binary.$node.errorAt('<binary> contradicts the <attach> beside it'));
  return { name: ATTACHED, position: $node.position };
}

/** Two instances run side by side for a while, and must not want the same for themselves. */
function readReplace({ replace }: StartReading, host: readonly HostGrant[], findings: Findings): boolean {
  if (replace !== 'ready') return false;
  for (const { kind, path, access, position } of host) {
    const exclusive = kind === 'tcp-listen' || kind === 'unix-listen' || (kind === 'file' && access === 'rw');
    if (!exclusive) continue;
    const grant = grantText({ kind, path, access });
    const text = `${grant} is for one at a time, but replace="ready" runs two instances side by side`;
    findings.errors.push(new ConfigError(text, position));
  }
  return true;
}

function readConfigFile({ $children: parts }: StartReading, findings: Findings): string | undefined {
  const { config, configfile } = parts;
  if (!configfile) return undefined;
  if (config)
    findings.errors.push(configfile.$node.errorAt('<configfile> contradicts the <config> beside it'));
  return configfile.name;
}

function readJail(
  { isolation, jail, $node: start }: StartReading,
  placed: Placed,
  around: StartSurroundings,
  findings: Findings,
): JailDemand {
  if (isolation === 'jail') {
    if (jail === 'no') findings.errors.push(start.errorAt('jail="no" contradicts isolation="jail"', 'jail'));
    return 'required';
  }
  if (jail === 'no') return 'no';
  if (jail === 'required' || around.jail === 'required') {
    const problem = unjailable(placed);
    const whose = jail === 'required' ? 'jail="required"' : 'jail="required" of <config>';
    const remedy = jail === 'required' ? '' : ', or jail="no" here';
    if (problem !== undefined) {
      findings.errors.push(
        start.errorAt(`${problem.what}: ${whose} takes ${problem.takes}${remedy}`, 'jail'),
      );
    }
    return 'required';
  }
  return isDriver(placed) ? 'no' : around.jail;
}

/** Says why the child cannot be jailed on any host, and what would change that. */
function unjailable(placed: Placed): { readonly what: string; readonly takes: string } | undefined {
  if (!hasOwnProcess(placed)) return { what: 'a thread cannot be jailed', takes: 'isolation="process"' };
  if (isDriver(placed) && placed.host.some(({ kind }) => kind === 'program')) {
    return { what: 'who starts programs cannot be jailed', takes: 'a <host> without <program>' };
  }
  return undefined;
}

/**
 * Reads a priority. It is written as 0 or less and kept as 0 or more, and it is clamped to the
 * levels that there are.
 */
function readPriority(start: StartReading, prioLevels: number, findings: Findings): number {
  const priority = Math.max(0, -start.priority);
  if (priority < prioLevels) return priority;
  const position = start.$node.positionOf('priority');
  if (prioLevels === 1) {
    const text = 'attribute "priority" of <start> means nothing: <config> has no prio_levels of 2 or more';
    findings.warnings.push({ text, position });
    return 0;
  }
  const used = `the least urgent of ${prioLevels} levels is used`;
  const text = `attribute "priority" of <start> is ${-priority}, ${used}`;
  findings.warnings.push({ text, position });
  return prioLevels - 1;
}

function readRestart(restart: StartReading['$children']['restart']): RestartBudget | undefined {
  return restart && { on: restart.on, max: restart.max, periodS: restart.period_s };
}

function readHeartbeat(heartbeat: StartReading['$children']['heartbeat']): StartNode['heartbeat'] {
  return heartbeat && { restartAfterSkipped: heartbeat.restart_after_skipped };
}
