/** A server of NBD over a connection in memory. */
import { RpcError } from '@ginit/core';
import { ServerConnection, type ServerRules } from '../src/nbd/server/server-connection.ts';
import { type ChunkSizes, pipe, type PipeEnd } from './nbd-pipe.ts';
import { RamDevice } from './nbd-ram.ts';

export const TLS_SERVER = { role: 'server', certificate: 'c', key: 'k' } as const;
export const TLS_CLIENT = { role: 'client', serverName: 'test' } as const;

export interface Served {
  readonly device: RamDevice;
  readonly client: PipeEnd;
  readonly served: Promise<string>;
}

/** A server of one export `disk`, and the client's end of a connection to it. */
export function serve(device: RamDevice, sizes?: ChunkSizes, rules: Partial<ServerRules> = {}): Served {
  const [client, server] = pipe(sizes);
  const exports = [{ name: 'disk', description: 'a test', device }];
  const connection = new ServerConnection(server, { exports: () => exports, tls: undefined, ...rules });
  const served = connection.run().then(() => 'left', reasonOf);
  return { device, client, served };
}

/** The words of an error; another one than an `RpcError` is a bug of ours, and says so. */
export function reasonOf(error: unknown): string {
  return error instanceof RpcError ? error.message : `a bug: ${String(error)}`;
}
