/** Addresses as configs spell them: HOST:PORT, or `unix:PATH`. */

const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])$/i;

/** The host of an address, without brackets; empty for a socket of the file system. */
export function hostOf(address: string): string {
  return address.startsWith('unix:') ? '' : spelledHost(address).replace(/^\[(.*)\]$/, '$1');
}

/** Whether nobody outside of this machine can listen in on what goes there. */
export function isLocal(address: string): boolean {
  return address.startsWith('unix:') || LOOPBACK.test(spelledHost(address));
}

function spelledHost(address: string): string {
  return address.slice(0, Math.max(0, address.lastIndexOf(':')));
}
