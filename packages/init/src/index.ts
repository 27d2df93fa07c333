/** The sandbox library: run children of your own by an init config, as the init component does. */
export { type InitConfig, type InitConfigReading, INIT_SCHEMA, readInitConfig } from './model/index.ts';
export { type LocalService, localService } from './sandbox/local-service.ts';
export { Sandbox } from './sandbox/sandbox.ts';
export type { SandboxOptions } from './sandbox/sandbox-options.ts';
