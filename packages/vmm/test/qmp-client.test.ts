/** The client of QMP, against whatever may be at the other end. */
import { describe, expect, test } from 'vitest';
import type { HostConnection } from '@ginit/core/host';
import { QmpClient, QmpError, type QmpEvent } from '../src/engine/qemu/qmp-client.ts';
import { connectionPair } from './fake-qemu.ts';

const GREETING =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": []}}\n';

/** A QEMU of which a test writes each line. */
class Scripted {
  readonly events: string[] = [];
  readonly client: Promise<QmpClient>;
  readonly #far: HostConnection;

  constructor() {
    const [near, far] = connectionPair();
    this.#far = far;
    this.client = QmpClient.open(near, (event: QmpEvent) => void this.events.push(event.name));
    this.client.catch(() => {});
  }

  /** A client that has shaken hands. */
  async ready(): Promise<QmpClient> {
    this.say(GREETING);
    await this.answer();
    return this.client;
  }

  say(text: string): void {
    void this.#far.write(new TextEncoder().encode(text));
  }

  /** The next command, which is answered with these members. */
  async answer(members = '"return": {}'): Promise<string> {
    const command = await this.command();
    this.say(`{${members}, "id": ${command.id}}\r\n`);
    return command.execute;
  }

  async command(): Promise<{ execute: string; id: number }> {
    const line = new TextDecoder().decode(await this.#far.read());
    return JSON.parse(line) as { execute: string; id: number };
  }

  close(): void {
    void this.#far.close();
  }
}

describe('the client of QMP', () => {
  test('tells of events in their order, those before an answer before that', async () => {
    const qemu = new Scripted();
    const client = await qemu.ready();
    expect(await client.version).toBe('7.2.22');
    const stopped = client.execute('stop').then(() => qemu.events.push('answer'));
    const { id } = await qemu.command();
    qemu.say(`{"event": "STOP", "data": {}}\r\n{"return": {}, "id": ${id}}\r\n{"event": "RESU`);
    await stopped;
    qemu.say('ME"}\n');
    await expect.poll(() => qemu.events).toEqual(['STOP', 'answer', 'RESUME']);
  });

  test('has each answer come to its own command, and errors too', async () => {
    const qemu = new Scripted();
    const client = await qemu.ready();
    const [first, second] = [client.execute('first'), client.execute('second')];
    const [one, other] = [await qemu.command(), await qemu.command()];
    qemu.say(`{"error": {"class": "GenericError", "desc": "it is not to be"}, "id": ${other.id}}\n`);
    qemu.say(`{"return": 7, "id": ${one.id}}\n`);
    await expect(second).rejects.toMatchObject({ code: 'Refused', message: 'it is not to be' });
    expect(await first).toBe(7);
  });

  test.each([
    ['a line that is no JSON', 'hello\n'],
    ['a line that is no message', '[1, 2]\n'],
    ['an answer that nobody has asked for', '{"return": {}, "id": 77}\n'],
    ['an answer without a number', '{"return": {}}\n'],
  ])('ends with what is open when there is %s', async (_, text) => {
    const qemu = new Scripted();
    const client = await qemu.ready();
    const open = client.execute('stop');
    await qemu.command();
    qemu.say(text);
    await expect(open).rejects.toMatchObject({ code: 'Protocol' });
    await expect(client.execute('cont')).rejects.toMatchObject({ code: 'Protocol' });
  });

  test('takes no line without an end', async () => {
    const qemu = new Scripted();
    const client = await qemu.ready();
    const open = client.execute('stop');
    for (let piece = 0; piece < 17; piece++) qemu.say('x'.repeat(64 * 1024));
    await expect(open).rejects.toMatchObject({ code: 'Protocol' });
  });

  test('ends with everything that is open when the other end dies, at any time', async () => {
    const early = new Scripted();
    early.close();
    await expect(early.client).rejects.toBeInstanceOf(QmpError);
    const greeted = new Scripted();
    greeted.say(GREETING);
    await greeted.command();
    greeted.close();
    await expect(greeted.client).rejects.toMatchObject({ code: 'Ended' });
    const late = new Scripted();
    const client = await late.ready();
    const open = [client.execute('stop'), client.execute('cont')];
    late.close();
    for (const one of open) await expect(one).rejects.toMatchObject({ code: 'Ended' });
    await expect(client.execute('stop')).rejects.toMatchObject({ code: 'Ended' });
  });
});
