import { didYouMean, quotedList, shown } from '@ginit/core/config';
import type { CheckFindings } from './findings.ts';
import type { Scope } from './scope.ts';

/**
 * Checks the services that an init offers to its parent. A policy may name a child that there is
 * not yet: then sessions wait for it until a config brings it. So that is a warning and no error.
 */
export function checkForwarding({ config, startByName }: Scope, findings: CheckFindings): void {
  for (const { name: service, $children } of config.services) {
    const fallback = $children['default-policy'];
    for (const { child } of fallback ? [...$children.policy, fallback] : $children.policy) {
      const start = startByName.get(child.name);
      const lead = `sessions of service "${service}" wait for child ${shown(child.name)}`;
      if (start === undefined) {
        const hint = didYouMean(child.name, startByName.keys());
        findings.warn(`${lead}, which there is not${hint}`, child.position);
        continue;
      }
      if (start.provides.some(({ name }) => name === service)) continue;
      const names = start.provides.map(({ name }) => name);
      const provided =
        names.length === 0 ? 'it has no <provides>' : `its <provides> lists ${quotedList(names)}`;
      findings.warn(`${lead}, which does not provide it (${provided})`, child.position);
    }
  }
}
