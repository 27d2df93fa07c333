/** report_rom: reports come out as ROM modules. */
import { Rom, RomClient, RpcError } from '@ginit/core';
import { Report, Reporter } from '@ginit/core/report';
import { type ConfigObject, runComponent, type RunningComponent } from '@ginit/core/testing';
import { ConfigNode } from '@ginit/core/config';
import { describe, expect, test } from 'vitest';
import reportRom from '../src/report_rom/main.ts';

const POLICIES: ConfigObject = {
  policy: [
    { label_prefix: 'reader', report: 'writer -> state' },
    { label: 'other -> shapes', report: 'writer -> shapes' },
  ],
};

const textOf = (content: Uint8Array | undefined): string | undefined =>
  content && new TextDecoder().decode(content);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A client that reports under the label `writer -> NAME`. */
async function writerOf(run: RunningComponent, name: string, as = 'writer') {
  const client = await run.client(as);
  const session = await client.connect(Report, { label: name });
  return {
    client,
    submit: (text: string) => session.submit(bytesOf(text)),
    close: () => client.env.close(session),
  };
}

/** A client that reads a ROM, and counts how often it is woken. */
async function readerOf(run: RunningComponent, as = 'reader', label = 'rom') {
  const client = await run.client(as);
  const rom = new RomClient(await client.connect(Rom, { label }));
  let wakings = 0;
  await rom.onChange(client.env.signal(() => void wakings++));
  return { read: async () => textOf(await rom.content()), wakings: () => wakings };
}

const refusalOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? `${error.code}: ${error.message}` : String(error)),
  );

describe('report_rom', () => {
  test('shows a reader the report that its policy names, and wakes it with every new one', async () => {
    await using run = await runComponent(reportRom, { config: POLICIES });
    const writer = await writerOf(run, 'state');
    const reader = await readerOf(run);
    expect(await reader.read()).toBe('');
    await writer.submit('<state/>');
    await run.settle();
    expect([reader.wakings(), await reader.read()]).toEqual([1, '<state/>']);
    await writer.submit('<state n="2"/>');
    await run.settle();
    expect([reader.wakings(), await reader.read()]).toEqual([2, '<state n="2"/>']);
  });

  test('shows what was reported before the reader came, and takes readers before there is a writer', async () => {
    await using run = await runComponent(reportRom, { config: POLICIES });
    const early = await readerOf(run, 'reader-early');
    const writer = await writerOf(run, 'state');
    await writer.submit('now');
    await run.settle();
    expect([early.wakings(), await early.read()]).toEqual([1, 'now']);
    const late = await readerOf(run, 'reader-late');
    expect([late.wakings(), await late.read()]).toEqual([0, 'now']);
  });

  test('a reader sees nothing of a report that is not its own', async () => {
    await using run = await runComponent(reportRom, { config: POLICIES });
    await (await writerOf(run, 'state')).submit('secret');
    const reader = await readerOf(run, 'other', 'shapes');
    expect(await reader.read()).toBe('');
  });

  test('denies a ROM session without a policy for its label, by the newest config', async () => {
    await using run = await runComponent(reportRom, { config: POLICIES });
    const stranger = await run.client('stranger');
    expect(await refusalOf(stranger.connect(Rom, { label: 'x' }))).toContain(
      'no policy defined for label "stranger -> x"',
    );
    await run.configure({ 'default-policy': { report: 'writer -> state' } });
    expect(await refusalOf(stranger.connect(Rom, { label: 'x' }))).toBe('succeeded');
  });

  test('has one writer for each report: a second one is denied until the first has closed', async () => {
    await using run = await runComponent(reportRom, { config: POLICIES });
    const writer = await writerOf(run, 'state');
    const again = (): Promise<unknown> => writer.client.connect(Report, { label: 'state' });
    expect(await refusalOf(again())).toContain('report "writer -> state" is written by another session');
    await writer.close();
    expect(await refusalOf(again())).toBe('succeeded');
  });

  test('empties the module when its writer closes, and wakes nobody for that', async () => {
    await using run = await runComponent(reportRom, { config: POLICIES });
    const writer = await writerOf(run, 'state');
    const reader = await readerOf(run);
    const idle = await readerOf(run, 'reader-idle');
    await writer.submit('last words');
    await run.settle();
    expect(await reader.read()).toBe('last words');
    await writer.close();
    await run.settle();
    expect([reader.wakings(), idle.wakings()]).toEqual([1, 1]);
    expect([await reader.read(), await idle.read()]).toEqual(['', '']);
  });

  test('takes the policies of 14.02, within <rom>', async () => {
    await using run = await runComponent(reportRom, { config: { rom: POLICIES } });
    await (await writerOf(run, 'state')).submit('old');
    expect(await (await readerOf(run)).read()).toBe('old');
  });

  test('logs every report if it is verbose', async () => {
    await using run = await runComponent(reportRom, { config: { ...POLICIES, verbose: true } });
    const writer = await writerOf(run, 'state');
    await writer.submit('<state>\n  <ram/>\n</state>\n');
    await run.settle();
    expect(run.log).toEqual(['report "writer -> state"', '  <state>', '    <ram/>', '  </state>']);
  });

  test('keeps nothing of writers and readers that are gone', async () => {
    await using run = await runComponent(reportRom, { config: POLICIES });
    const before = await run.account();
    for (const round of [1, 2, 3]) {
      const writer = await run.client(`writer${round}`);
      const reporter = new Reporter(writer.env, 'state', { bufferBytes: 2 ** 20 });
      await reporter.report(ConfigNode.make('state', { round }));
      await reporter.disable();
      await (await run.client(`reader${round}`)).close();
      await writer.close();
    }
    expect(await run.account()).toEqual(before);
  });

  test('a policy without a report is refused with its place', async () => {
    await using run = await runComponent(reportRom, { config: { policy: [{ label: 'reader -> rom' }] } });
    const client = await run.client('reader');
    expect(await refusalOf(client.connect(Rom, { label: 'rom' }))).toContain('DENIED');
    expect((await run.end()).log.join()).toContain('<policy> needs an attribute "report"');
  });
});
