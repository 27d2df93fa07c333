/** Connections that are secured after they were made, at both ends, as drivers do it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeCertificates, missingOf } from '../../../test/harness/programs.ts';
import { nodeHost } from '../src/platform/thread/host-access/node-host.ts';
import { RpcError } from '../src/errors.ts';
import type { HostConnection, HostTls } from '../src/runtime/host-access.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-tls-'));
  makeCertificates(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const pem = (name: string): string => readFileSync(join(directory, `${name}.pem`), 'utf8');
const server = (): HostTls => ({
  role: 'server',
  certificate: pem('server-cert'),
  key: pem('server-key'),
});
const client = (): HostTls => ({ role: 'client', serverName: 'localhost', authority: pem('ca-cert') });

/** Both ends of a connection over a socket in the file system. */
async function pair(): Promise<{ near: HostConnection; far: HostConnection; close: () => Promise<void> }> {
  const host = nodeHost(undefined, () => {});
  const place = { target: join(directory, 'socket'), path: 'socket' };
  const listener = await host.listen('unix', place);
  const [near, far] = await Promise.all([host.connect('unix', place), listener.accept()]);
  const close = async (): Promise<void> => {
    await near.close();
    await far.close();
    await listener.close();
  };
  return { near, far, close };
}

/** How both ends fare. */
async function secured(near: HostTls, far: HostTls): Promise<[string, string]> {
  const ends = await pair();
  const outcome = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'secured',
      (error: unknown) => (error instanceof RpcError ? `${error.code}: ${error.message}` : String(error)),
    );
  const [one, other] = await Promise.all([
    outcome(ends.near.startTls(near)),
    outcome(ends.far.startTls(far)),
  ]);
  // With TLS 1.3 a client is done before its certificate is looked at.
  const refused = one === 'secured' && other !== 'secured' ? await outcome(refusal(ends.near)) : one;
  await ends.close();
  return [refused, other];
}

async function refusal(connection: HostConnection): Promise<void> {
  if ((await connection.read()) === undefined) throw new RpcError('Closed', 'the other end is gone');
}

const lacks = missingOf('openssl');
describe.skipIf(lacks)(`TLS${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test('takes over a connection in the middle, and carries what is written then', async () => {
    const { near, far, close } = await pair();
    await near.write(new TextEncoder().encode('plain'));
    expect(Buffer.from((await far.read()) ?? []).toString()).toBe('plain');
    await Promise.all([near.startTls(client()), far.startTls(server())]);
    const sent = new Uint8Array(3_000_000).map((_, index) => index % 251);
    const writing = near.write(sent).then(() => near.end());
    const parts: Uint8Array[] = [];
    for (let part = await far.read(); part; part = await far.read()) parts.push(part);
    await writing;
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
    await far.write(new TextEncoder().encode('answer'));
    expect(Buffer.from((await near.read()) ?? []).toString()).toBe('answer');
    await close();
    await expect(near.write(sent)).rejects.toMatchObject({ code: 'Closed' });
  });

  test('of a client that shows what it must', async () => {
    const shown = { certificate: pem('client-cert'), key: pem('client-key') };
    const wants = { ...server(), authority: pem('ca-cert') };
    expect(await secured({ ...client(), ...shown }, wants)).toEqual(['secured', 'secured']);
    expect(await secured({ ...client(), serverName: '127.0.0.1' }, server())).toEqual(['secured', 'secured']);
    const others = join(directory, 'others');
    mkdirSync(others);
    makeCertificates(others);
    const strange = (name: string): string => readFileSync(join(others, `${name}.pem`), 'utf8');
    const stranger = { ...client(), certificate: strange('client-cert'), key: strange('client-key') };
    expect((await secured(stranger, wants))[1]).toMatch(/^Untrusted: socket "socket": TLS: /);
    const [near, far] = await secured(client(), wants);
    expect(near).not.toBe('secured');
    expect(far).toMatch(/^Untrusted: socket "socket": TLS: /);
  });

  test('is refused by a client that does not know who has certified the server, or wants another one', async () => {
    const { authority: _, ...trusting } = client();
    const [stranger] = await secured(trusting, server());
    expect(stranger).toMatch(/^Untrusted: socket "socket": TLS: (self-signed|unable to)/);
    const [other] = await secured({ ...client(), serverName: 'elsewhere' }, server());
    expect(other).toMatch(/^Untrusted: socket "socket": TLS: .*elsewhere/);
  });

  test('is refused where the other end says something else, or goes', async () => {
    const { near, far, close } = await pair();
    await far.write(new TextEncoder().encode('SSH-2.0-nobody\r\n'));
    await expect(near.startTls(client())).rejects.toMatchObject({ code: 'Untrusted' });
    await close();
    const gone = await pair();
    await gone.near.close();
    // That says nothing of trust, and the next attempt may succeed.
    await expect(gone.far.startTls(server())).rejects.toMatchObject({ code: 'Unreachable' });
    await gone.close();
  });

  test('is begun once, by nobody who still reads, with what it takes', async () => {
    const { near, far, close } = await pair();
    const reading = near.read();
    await expect(near.startTls(client())).rejects.toThrow('is being read');
    await far.write(new Uint8Array(1));
    await reading;
    await Promise.all([near.startTls(client()), far.startTls(server())]);
    await expect(near.startTls(client())).rejects.toThrow('is secured already');
    await close();
    const other = await pair();
    await expect(other.far.startTls({ role: 'server' })).rejects.toThrow('needs a certificate and its key');
    await expect(other.near.startTls({ role: 'client' })).rejects.toThrow('needs the name of the server');
    await other.close();
  });
});
