/** The configuration of init as validated plain data. */
export type * from './init-config.ts';
export { directoryOf } from './directory.ts';
export { rulesOf, STATE_LABEL } from './init-config.ts';
export { isHolder } from './holder-name.ts';
export { heldBy, type HeldChildren, nestedConfigOf } from './holder.ts';
export { ATTACHED, isNodeLabel, isNodeName } from './place.ts';
export { requestingChild } from './requesting-child.ts';
export { PRESERVE_DEFAULT } from './quota.ts';
export {
  ENVIRONMENT_COST,
  hasOwnProcess,
  INIT_COST,
  initStartCost,
  isDriver,
  ROOT_START_COST,
  startCost,
} from './start-cost.ts';
export { type InitConfigReading, readInitConfig } from './read.ts';
export { readHostGrants } from './host.ts';
export { HOST_SCHEMA, INIT_SCHEMA } from './schema.ts';
export { readSequenceConfig, SEQUENCE_SCHEMA, type SequenceOptions } from './sequence.ts';
export { type ConfigWarning, formatWarning } from '../warning.ts';
