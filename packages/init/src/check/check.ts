import { didYouMean } from '@ginit/core/config';
import {
  heldBy,
  type InitConfig,
  initStartCost,
  isHolder,
  type Quota,
  ROOT_START_COST,
  type StartNode,
} from '../model/index.ts';
import { checkChildConfig, checkHandedOn, checkHost, checkPolicies, checkProvides } from './component.ts';
import { checkCycles } from './cycles.ts';
import type { ManifestFacts, ManifestsByPath } from './facts.ts';
import { checkHostNeeds, type HostLimits } from './host-needs.ts';
import { CheckFindings, type CheckResult } from './findings.ts';
import { checkForwarding } from './forwarding.ts';
import { checkSharedFiles, type FileIdentity } from './grants.ts';
import { checkQuotas, checkStartCost, type InitQuota } from './quotas.ts';
import { checkRequests } from './requests.ts';
import { pathOf, problemAbove, type Scope, scopeOf } from './scope.ts';
import { checkStateReport } from './state-report.ts';
import { checkTargets } from './targets.ts';

/**
 * The facts about the world that the outermost init runs in. A fact that is not given is not
 * checked.
 */
export interface CheckOptions {
  /** The quota that the outermost init has. */
  readonly quota?: Quota | undefined;
  /** The services that its parent provides. */
  readonly parentServices?: readonly string[] | undefined;
  /** Tells files of the host apart. Without it nobody checks whether two grants share a file. */
  readonly fileIdentity?: FileIdentity | undefined;
  /** How much of the host may be used. */
  readonly host?: HostLimits | undefined;
}

/**
 * Finds mistakes in a configuration whose form is right: routes to nowhere, services that nobody
 * provides or that their component does not have, missing host grants, wrong configurations of
 * components, quotas beyond the quota that there is. It checks the configurations of nested inits
 * as well. A child without a manifest gets only the checks that need no manifest. Errors and
 * warnings are in the order of the document.
 */
export function checkConfig(
  config: InitConfig,
  manifests: ManifestsByPath,
  options: CheckOptions = {},
): CheckResult {
  const findings = new CheckFindings();
  const { quota: whole, parentServices } = options;
  const quota = whole && { whole, ownStart: ROOT_START_COST };
  checkScope(scopeOf(config), manifests, { quota, parentServices }, findings);
  if (options.fileIdentity) checkSharedFiles(config, options.fileIdentity, findings);
  if (options.host) checkHostNeeds(config, options.host, findings);
  return findings.result();
}

/** What is known of the surroundings of one init. */
interface ScopeOptions {
  readonly quota?: InitQuota | undefined;
  readonly parentServices?: readonly string[] | undefined;
}

function checkScope(
  scope: Scope,
  manifests: ManifestsByPath,
  options: ScopeOptions,
  findings: CheckFindings,
): void {
  const { config } = scope;
  const factsOf = (start: StartNode): ManifestFacts | undefined => manifests.get(pathOf(scope, start));
  checkParentProvides(scope, options.parentServices, findings);
  if (options.quota !== undefined) checkQuotas(config, options.quota, findings);
  const broken = checkTargets(scope, findings);
  checkForwarding(scope, findings);
  checkStateReport(scope, findings);
  for (const start of config.starts) {
    const facts = factsOf(start);
    checkStartCost(start, findings);
    checkRequests(scope, start, facts, broken, findings);
    checkPolicies(start, findings);
    if (isHolder(start.binary.name)) checkNested(scope, start, manifests, findings);
    else if (facts !== undefined) {
      checkProvides(start, facts.provides, findings);
      checkHost(start, facts, findings);
      checkChildConfig(scope, start, facts, findings);
    }
  }
  checkCycles(scope, factsOf, findings);
}

/**
 * Checks a nested init, or a sequence: it provides the services that its configuration forwards,
 * and it can give away only the grants of its own start node.
 */
function checkNested(
  scope: Scope,
  start: StartNode,
  manifests: ManifestsByPath,
  findings: CheckFindings,
): void {
  const held = heldBy(start);
  if (held === undefined) return;
  for (const { text, position } of held.errors) findings.error(text, position);
  for (const { text, position } of held.warnings) findings.warn(text, position);
  const services = held.configs.flatMap((config) => config.services.map(({ name }) => name));
  checkProvides(start, services, findings);
  const quota = { whole: { ram: start.ram, caps: start.caps }, ownStart: initStartCost(start) };
  for (const config of held.configs) {
    checkHandedOn(start, config, findings);
    checkScope(scopeOf(config, { scope, start }), manifests, { quota }, findings);
  }
}

function checkParentProvides(
  scope: Scope,
  parentServices: readonly string[] | undefined,
  findings: CheckFindings,
): void {
  for (const { name, position } of scope.config.parentProvides) {
    if (parentServices !== undefined && !parentServices.includes(name)) {
      findings.error(`the parent provides no service "${name}"${didYouMean(name, parentServices)}`, position);
    }
    const problem = problemAbove(scope, name, undefined);
    if (problem === undefined || scope.above === undefined) continue;
    const text = `service "${name}" does not get here: start node "${scope.above.start.name}" cannot have it`;
    findings.warn(`${text}: ${problem}`, position);
  }
}
