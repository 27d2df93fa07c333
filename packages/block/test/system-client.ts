/** Clients and servers for systems in the test's own thread, and how those systems end. */
import { type Component, component, type Main, type Manifest, RpcError } from '@ginit/core';
import { Block, type BlockBackend, type BlockClient, serveBlock } from '@ginit/core/block';
import { Report, serveReport } from '@ginit/core/report';
import { expect } from 'vitest';
import {
  type CarrierKind,
  finish,
  type FinishedSystem,
  startSystem,
} from '../../../test/harness/in-process-system.ts';

const SIZE = 512;
const TIMEOUT_MS = 20_000;

/** A client that exits with 0 if its work ends well. */
export function clientOf(work: Main, manifest: Manifest = { requires: [Block] }): Component {
  return component(manifest, async (env) => {
    try {
      await work(env);
      env.exit(0);
    } catch (error) {
      await env.error(error instanceof Error ? (error.stack ?? '') : String(error));
      env.exit(1);
    }
  });
}

/** A client that does nothing, and stays. */
export const idleClient = component({}, () => {});

/** A server of one device, for all of its clients. */
export function serverOf(backend: BlockBackend): Component {
  return component({ provides: [Block] }, (env) => {
    env.provide(Block, (session) => serveBlock(session, backend));
  });
}

/** A server of reports that keeps them: the label, a newline, the content. */
export function reportsTo(reports: string[]): Component {
  return component({ provides: [Report] }, (env) => {
    env.provide(Report, (session) =>
      serveReport(session, {
        submit: (content) => void reports.push(`${session.label.text}\n${new TextDecoder().decode(content)}`),
      }),
    );
  });
}

/** Bytes that are all the same; a block of them unless told otherwise. */
export function filled(byte: number, bytes = SIZE): Uint8Array {
  return new Uint8Array(bytes).fill(byte);
}

/** The first byte of a block. */
export async function firstByte(disk: BlockClient, block: number): Promise<number | undefined> {
  const bytes = new Uint8Array(disk.info.blockSize);
  await disk.read(block, 1, bytes);
  return bytes[0];
}

/** The log of a system whose client has ended well. */
export async function endsWell(run: Promise<FinishedSystem>): Promise<readonly string[]> {
  const { end, lines } = await run;
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
  return lines;
}

/** Runs a system until one of its components has crashed; the complaints of the system. */
export async function complaintsOf(
  components: Readonly<Record<string, Component>>,
  starts: string,
  kind: CarrierKind = 'shared',
): Promise<string> {
  const system = startSystem(kind, components, starts);
  const { complaints } = system.platform;
  const crashes = (): number => complaints.filter((line) => line.includes('] crashed: ')).length;
  await expect.poll(crashes, { timeout: TIMEOUT_MS }).toBeGreaterThan(0);
  system.supervisor.end({ kind: 'exit', code: 0 });
  await finish(system);
  return complaints.join('\n');
}

/** How a promise ends: `succeeded`, or the code of its error. */
export function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : `not an RpcError: ${String(error)}`),
  );
}

/** How a promise ends: `succeeded`, or its error as a text. */
export function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'succeeded',
    (error: unknown) => String(error),
  );
}
