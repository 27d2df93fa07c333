/** The control socket: how a running system is found, and how one speaks with it. */
export { ControlClient, type Unreached } from './client.ts';
export {
  controlDirectory,
  defaultNames,
  DIRECTORY_VARIABLE,
  directoryProblem,
  SYSTEM_NAME_MAX,
  socketPath,
  systemNameProblem,
} from './place.ts';
export {
  CONTROL_LIMITS,
  CONTROL_VERSION,
  ControlError,
  type ControlErrorCode,
  type Greeting,
} from './protocol.ts';
export {
  type ControlCall,
  type ControlHandler,
  type ControlHandlers,
  ControlServer,
  type NoControl,
} from './server.ts';
export { type NodeLine, nodeLine, nodesAnswer } from './node-lines.ts';
export { findSystem, type FoundSystem, othersSystems, runningSystems } from './systems.ts';
export {
  fromRoot,
  incompleteness,
  meantBy,
  type SystemTree,
  systemTree,
  type TreeNode,
  treeOf,
} from './tree.ts';
