import { shown } from '@ginit/core/config';
import type { Allowance } from './init-config.ts';
import type { Findings } from './reading.ts';
import type { StartReading } from './schema.ts';

/** The name of an npm package. */
const PACKAGE_PATTERN = /^(?:@[\w.~-]+\/)?[\w~-][\w.~-]*$/;

/**
 * Reads the `<allow>` elements of a start node: the packages that are trusted with modules of Node.
 */
export function readAllowances(start: StartReading, findings: Findings): Allowance[] {
  return start.$children.allow.flatMap(({ module, anything, uses: list = '', $node: node }) => {
    if (module === undefined) return [];
    if (!PACKAGE_PATTERN.test(module)) {
      const text = `attribute "module" of <allow> is ${shown(module)}, which is no package`;
      findings.errors.push(node.errorAt(text, 'module'));
      return [];
    }
    const uses = list.split(/[\s,]+/).filter((word) => word !== '');
    if (uses.length === 0 && !anything)
      findings.errors.push(node.errorAt('<allow> needs an attribute "uses" or anything="yes"'));
    const withoutScheme = uses.map((name) => name.replace(/^node:/, ''));
    return [{ module, uses: withoutScheme, anything, position: node.position }];
  });
}
