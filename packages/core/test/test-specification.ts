/** The specification of a component of the tests: an ordinary thread without grants. */
import type { ComponentSpecification } from '../src/supervisor/platform.ts';

/** For the module at `moduleUrl`, which an in-process platform knows. */
export function testSpecification(label: string, moduleUrl: string): Omit<ComponentSpecification, 'id'> {
  return {
    label,
    moduleUrl,
    files: [],
    domain: 'domain',
    ownProcess: false,
    heapBytes: undefined,
    ramBytes: 0,
    hostDepth: undefined,
    scheduling: { affinity: [], priority: 0 },
    grants: [],
    usedGrants: [],
    jail: 'default',
    confined: false,
  };
}
