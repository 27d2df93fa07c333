/** Runs a test's body as the client of a File_system server, in a system of its own. */
import { component, type Env } from '@ginit/core';
import { element } from '@ginit/core/config';
import {
  FileSystem,
  FileSystemClient,
  FILE_SYSTEM_POLICY_ELEMENTS,
  serveFileSystem,
} from '@ginit/core/file_system';
import { expect } from 'vitest';
import { type CarrierKind, runSystem } from '../../../test/harness/in-process-system.ts';
import type { MemoryFileSystem } from './file-system-memory.ts';

export type { CarrierKind } from '../../../test/harness/in-process-system.ts';

/** The config of a File_system server that has nothing but policies. */
export const SERVER_CONFIG = element('config', 'A server', { children: FILE_SYSTEM_POLICY_ELEMENTS });

export const CARRIER_KINDS: readonly CarrierKind[] = ['shared', 'copying'];

export interface SystemOptions {
  readonly policies?: string;
  readonly handlesMax?: number;
  readonly ram?: string;
}

/** The server's reports of errors that the backend did not mean to throw. */
export type Reports = unknown[];

/**
 * Runs `body` in a client component. Afterwards nothing may be held of the file system, and nothing
 * be under way.
 */
export async function withServer(
  kind: CarrierKind,
  backend: MemoryFileSystem,
  body: (env: Env, reports: Reports) => Promise<void>,
  options: SystemOptions = {},
): Promise<void> {
  const {
    policies = '<policy label_prefix="" root="/" writeable="yes"/>',
    handlesMax,
    ram = '64M',
  } = options;
  const reports: Reports = [];
  let failure: unknown;
  const server = component({ provides: [FileSystem], config: SERVER_CONFIG }, (env) => {
    env.provide(FileSystem, (session) =>
      serveFileSystem(session, backend, {
        config: env.config.read(SERVER_CONFIG),
        report: (error) => reports.push(error),
        ...(handlesMax === undefined ? {} : { handlesMax }),
      }),
    );
  });
  const client = component({ requires: [FileSystem] }, async (env) => {
    try {
      await body(env, reports);
    } catch (error) {
      failure = error;
    }
    env.exit(0);
  });
  const { complaints } = await runSystem(
    kind,
    { server, client },
    `<start name="server" ram="8M"> <provides> <service name="File_system"/> </provides>
       <config> ${policies} </config> </start>
     <start name="client" ram="${ram}" caps="1000"> <exit propagate="yes"/>
       <route> <service name="File_system"> <child name="server"/> </service>
         <any-service> <parent/> </any-service> </route> </start>`,
  );
  if (failure !== undefined) throw failure;
  expect(complaints).toEqual([]);
  expect(backend.held).toBe(0);
  expect(backend.underWay).toBe(0);
}

/** Likewise, with a client of the library. */
export function withClient(
  kind: CarrierKind,
  backend: MemoryFileSystem,
  body: (client: FileSystemClient) => Promise<void>,
  options: SystemOptions & { readonly bufferBytes?: number } = {},
): Promise<void> {
  return withServer(
    kind,
    backend,
    async (env, reports) => {
      const client = await FileSystemClient.connect(env, { label: 'test', bufferBytes: options.bufferBytes });
      await body(client);
      await client.close();
      expect(reports).toEqual([]);
    },
    options,
  );
}

/** The code that a call fails with. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
  return 'succeeded';
}
