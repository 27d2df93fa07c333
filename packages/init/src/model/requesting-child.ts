import type { RequestingChild } from '../routing/request.ts';
import { type InitConfig, rulesOf, type StartNode } from './init-config.ts';

/** What the resolution of its requests needs to know of the child that a start node is for. */
export function requestingChild(config: InitConfig, start: StartNode): RequestingChild {
  return {
    name: start.name,
    binaryName: start.binary.name,
    hasConfig: start.config !== undefined,
    configFile: start.configFile,
    usesLinker: start.usesLinker,
    rules: rulesOf(config, start),
  };
}
