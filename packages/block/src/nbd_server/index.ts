/** Block sessions over NBD, for components that serve a client of their own. */
export { ServerConnection, type ServerRules } from '../nbd/server/server-connection.ts';
export type { Extent, NbdDevice, NbdExport } from '../nbd/server/nbd-device.ts';
export { ExportedDevice, type ExportedSession } from './exported-device.ts';
