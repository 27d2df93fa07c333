import { prependLabel } from '@ginit/core/system';
import {
  resolveRoute,
  type Route,
  type RouteDenial,
  type RouteRequest,
  type ServiceDirectory,
} from './resolve.ts';
import type { RouteRule } from './rule.ts';

/*
 * Resolves the requests of a child. Two cases come before the rules: a ROM that init answers
 * itself, and a ROM that it asks for under another name. The sessions of a child's environment
 * carry unscoped labels: those of PD, CPU, LOG and the binary's ROM are the child's name, that of
 * the linker's ROM is `ld.lib.so`.
 *
 * Genode compares only the last element of the label with `config`, and so answers a grandchild's
 * request for its own `config` with the configuration of the init in between. Here a child is given
 * the ROM only if it asked for it itself.
 */

/** The facts that resolution needs about the child that asks. */
export interface RequestingChild {
  readonly name: string;
  /** The label of the ROM that holds its executable. */
  readonly binaryName: string;
  readonly hasConfig: boolean;
  /** The ROM that it gets when it asks for `config`, if its start node names one. */
  readonly configFile?: string | undefined;
  /** False for `ld="no"`: the binary stands in for the linker. */
  readonly usesLinker: boolean;
  /** Its `<route>`, or the `<default-route>`, or nothing. */
  readonly rules: readonly RouteRule[] | undefined;
}

/** The ROM that init itself provides to this child: its configuration. */
export interface ConfigRom {
  readonly kind: 'config';
}

/** Resolves a request of a child completely. `label` is the whole label as init sees it. */
export function resolveRequest(
  child: RequestingChild,
  request: Omit<RouteRequest, 'childName'>,
  directory: ServiceDirectory,
): Route | RouteDenial | ConfigRom {
  const { service } = request;
  let { label } = request;
  if (service === 'ROM') {
    if (label === prependLabel(child.name, 'config')) {
      if (child.hasConfig) return { kind: 'config' };
      if (child.configFile !== undefined) label = prependLabel(child.name, child.configFile);
    }
    const isBinary = label === child.name || (!child.usesLinker && label === 'ld.lib.so');
    if (isBinary) label = child.binaryName;
  }
  return resolveRoute(child.rules, { service, label, childName: child.name }, directory);
}
