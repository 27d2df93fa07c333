/** terminal_log and terminal_crosslink, each by itself. */
import { SessionError } from '@ginit/core';
import { runComponent } from '@ginit/core/testing';
import { Terminal, TerminalClient } from '@ginit/core/terminal';
import { describe, expect, test } from 'vitest';
import terminalCrosslink from '../src/terminal_crosslink/main.ts';
import { LINE_CHARACTERS_MAX } from '../src/terminal_log/logged-terminal.ts';
import terminalLog from '../src/terminal_log/main.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('terminal_log', () => {
  test('writes whole lines with the label of their session, and what is left at its end', async () => {
    await using run = await runComponent(terminalLog);
    const client = await run.client('guest');
    const terminal = await TerminalClient.connect(client.env, { label: 'serial' });
    const euro = bytesOf('5 €\r\n');
    await terminal.write(bytesOf('one\r\ntwo\nth'));
    await terminal.write(bytesOf('ree\n'));
    // A character that comes in two pieces is one character.
    await terminal.write(euro.subarray(0, 3));
    await terminal.write(euro.subarray(3));
    await terminal.write(bytesOf('no end'));
    await run.settle();
    expect(run.log).toEqual(['one', 'two', 'three', '5 €'].map((line) => `guest -> serial: ${line}`));
    await terminal.close();
    expect(run.log.at(-1)).toBe('guest -> serial: no end');
  });

  test('cuts a line that does not end', async () => {
    await using run = await runComponent(terminalLog);
    const terminal = await TerminalClient.connect((await run.client('guest')).env);
    await terminal.write(bytesOf('x'.repeat(LINE_CHARACTERS_MAX + 10)));
    await run.settle();
    expect(run.log.map((line) => line.replace(/^guest.*?: /, '').length)).toEqual([LINE_CHARACTERS_MAX]);
  });
});

describe('terminal_crosslink', () => {
  test('joins two terminals in both directions, and waits where nobody reads', async () => {
    await using run = await runComponent(terminalCrosslink);
    const left = await TerminalClient.connect((await run.client('left')).env, { bufferBytes: 8 });
    await left.write(bytesOf('early'));
    const right = await TerminalClient.connect((await run.client('right')).env, { bufferBytes: 8 });
    expect(textOf(await right.read())).toBe('early');
    const long = '0123456789'.repeat(10);
    const writing = left.write(bytesOf(long));
    let seen = '';
    while (seen.length < long.length) seen += textOf(await right.read(3));
    await writing;
    expect(seen).toBe(long);
    await right.write(bytesOf('back'));
    expect(textOf(await left.read())).toBe('back');
  });

  test('denies a third session, and takes one in the place of one that was closed', async () => {
    await using run = await runComponent(terminalCrosslink);
    const open = async (name: string): Promise<TerminalClient> =>
      TerminalClient.connect((await run.client(name)).env);
    const left = await open('left');
    const right = await open('right');
    const refusal = await open('third').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SessionError);
    expect(String(refusal)).toContain('this line has two ends, and both are taken');
    await right.close();
    const again = await open('again');
    await left.write(bytesOf('hello'));
    expect(textOf(await again.read())).toBe('hello');
    expect(run.announced).toEqual([Terminal.service]);
  });
});
