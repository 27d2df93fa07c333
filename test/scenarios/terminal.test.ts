/** Terminals of a running system: people at `ginit console`, programs at sockets, and the log. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ControlClient, socketPath } from '../../packages/init/src/command/control/index.ts';
import { Output } from '../../packages/init/src/command/output.ts';
import { attachConsole, type OwnTerminal } from '../../packages/init/src/command/running/console.ts';
import { parseRunning } from '../../packages/init/src/command/running/options.ts';
import { CORE_URL, GINIT, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { missingOf } from '../harness/programs.ts';

/** Echoes what is typed, tells its size when that changes, and ends its session at `end`. */
const ECHO = `import { component } from '${CORE_URL}';
import { Terminal, TerminalClient } from '${CORE_URL}/terminal';
const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
export default component({ requires: [Terminal] }, async (env) => {
  const terminal = await TerminalClient.connect(env, { label: 'serial', scrollBackBytes: 4096 });
  const say = (text) => terminal.write(encoder.encode(text));
  await say('ready\\n');
  void (async () => {
    for (let size = await terminal.size(); ; ) {
      size = await terminal.resized(size);
      await say('size ' + size.columns + ' x ' + size.lines + '\\n');
    }
  })().catch(() => {});
  let typed = '';
  for (;;) {
    typed += decoder.decode(await terminal.read());
    for (let end = typed.indexOf('\\n'); end !== -1; end = typed.indexOf('\\n')) {
      const line = typed.slice(0, end);
      typed = typed.slice(end + 1);
      await say('got ' + JSON.stringify(line) + '\\n');
      if (line === 'flood') await say('x'.repeat(100000) + '\\n');
      if (line === 'end') { await terminal.close(); return; }
    }
  }
});`;
const routed = (name: string, to: string): string => `<start name="${name}"> <binary name="./echo.mjs"/>
    <route> <service name="Terminal"> ${to} </service> <any-service> <parent/> </any-service> </route> </start>`;
const STARTS = `
  <start name="sockets" ram="8M"> <binary name="socket_terminal"/> <provides> <service name="Terminal"/> </provides>
    <host> <unix listen="served.sock"/> </host>
    <config> <policy label_prefix="served" listen="unix:served.sock"/> </config>
  </start>
  <start name="terminal_log"> <provides> <service name="Terminal"/> </provides> </start>
  ${routed('shown', '<parent/>')} ${routed('brief', '<parent/>')}
  ${routed('served', '<child name="sockets"/>')} ${routed('logged', '<child name="terminal_log"/>')}`;

let place: Workplace;
let sockets: string;
let system: GinitRun;

beforeAll(async () => {
  place = new Workplace();
  sockets = join(place.directory, 's');
  place.write('echo.mjs', ECHO);
  const config = systemConfig(STARTS).replace('<service name="Timer"/>', '$& <service name="Terminal"/>');
  place.write('line.xml', config);
  process.env['GINIT_RUNTIME_DIR'] = sockets;
  system = place.start('line.xml');
  await system.until('logged -> serial: ready');
  const client = await control();
  await client.ask('wait', { labels: [], timeoutMs: 40_000 });
  client.close();
});
afterAll(async () => {
  system.child.kill('SIGTERM');
  const { code } = await system.finished;
  delete process.env['GINIT_RUNTIME_DIR'];
  place[Symbol.dispose]();
  expect(code).toBe(0);
});

async function control(): Promise<ControlClient> {
  const client = await ControlClient.connect(socketPath(sockets, 'line'));
  if (!(client instanceof ControlClient)) throw new Error(`the system does not run: ${system.stderr}`);
  return client;
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 10));
}

interface AttachOptions {
  readonly look?: boolean;
  readonly window?: { columns: number; lines: number };
  readonly label?: string;
  /** Whether the input is a pipe and no terminal. */
  readonly piped?: boolean;
}

/** Somebody at a terminal of his own, which is a pipe here. */
async function attach({ look = false, window, label = 'shown', piped = false }: AttachOptions = {}) {
  const seen = { output: '', said: '' };
  const into = (key: 'output' | 'said'): Writable =>
    new Writable({
      write: (chunk, _encoding, done) => {
        seen[key] += String(chunk);
        done();
      },
    });
  let own = window;
  let changed = (): void => {};
  const modes: boolean[] = [];
  const input = new PassThrough();
  const terminal: OwnTerminal = {
    input,
    isTerminal: !piped,
    setRawMode: (raw) => void modes.push(raw),
    show: async (bytes) => void (seen.output += new TextDecoder().decode(bytes)),
    window: () => own,
    onResize: (handler) => {
      changed = handler;
      return () => {};
    },
  };
  const client = await control();
  const interrupt = new AbortController();
  const options = { label, look, detachByte: 0x1d, interrupted: interrupt.signal };
  const ended = attachConsole(options, client, new Output(into('output'), into('said')), terminal).finally(
    () => client.close(),
  );
  // A failure is found by whoever waits for the end.
  ended.catch(() => {});
  await Promise.race([until(() => seen.said.includes('attached')), ended]);
  return {
    seen,
    modes,
    ended,
    type: (text: string) => void input.write(text),
    endInput: () => void input.end(),
    interrupt: () => interrupt.abort(),
    resize: (size: { columns: number; lines: number }) => {
      own = size;
      changed();
    },
  };
}

describe('ginit console', () => {
  test('shows what was written before and what comes, types, and detaches by its key with the rest untyped', async () => {
    const person = await attach();
    expect(person.seen.said).toBe('ginit: attached to init -> shown -> serial; Ctrl-] detaches\n');
    await until(() => person.seen.output.includes('ready\n'));
    person.type('hello\n');
    await until(() => person.seen.output.includes('got "hello"\n'));
    // Ctrl-C belongs to the component.
    person.type('\u0003\n');
    await until(() => person.seen.output.includes('got "\\u0003"\n'));
    person.type('half\u001dnever\n');
    expect(await person.ended).toBe(0);
    expect([person.modes, person.seen.said.split('\n').at(-2)]).toEqual([[true, false], 'ginit: detached']);

    const next = await attach({ label: 'init -> shown -> serial' });
    await until(() => next.seen.output.includes('got "\\u0003"\n'));
    expect(next.seen.output).toContain('ready\n');
    next.type(' and whole\n');
    await until(() => next.seen.output.includes('got "half and whole"\n'));
    next.type('\u001d');
    await next.ended;
  });

  test('lets several look, some of them without typing, and the smallest window of those who type counts', async () => {
    const one = await attach({ window: { columns: 100, lines: 30 } });
    await until(() => one.seen.output.includes('size 100 x 30\n'));
    const looking = await attach({ look: true, window: { columns: 10, lines: 10 } });
    const other = await attach({ window: { columns: 120, lines: 25 } });
    await until(() => [one, looking, other].every(({ seen }) => seen.output.includes('size 100 x 25\n')));
    other.resize({ columns: 90, lines: 50 });
    await until(() => one.seen.output.includes('size 90 x 30\n'));
    looking.type('silent\n');
    one.type('loud\n');
    await until(() => looking.seen.output.includes('got "loud"\n'));
    expect(other.seen.output).not.toContain('silent');
    expect(looking.modes).toEqual([]);
    for (const person of [one, looking, other]) {
      person.interrupt();
      expect(await person.ended).toBe(0);
    }
  });

  test('refuses what is no terminal, and says which there are', async () => {
    for (const [label, problem] of [
      ['served', /^there is no terminal "served" \(there are .*init -> shown -> serial/],
      ['serial', /^there is no terminal "serial" \(there are .*init -> shown -> serial/],
    ] as const) {
      const { ended } = await attach({ label }).catch((error: unknown) => ({ ended: Promise.reject(error) }));
      await expect(ended).rejects.toThrow(problem);
    }
    const client = await control();
    for (const [what, args, code] of [
      ['console_type', { console: 4711, bytes: '' }, 'NOT_FOUND'],
      ['console_size', { console: 4711, window: { columns: 1, lines: 1 } }, 'NOT_FOUND'],
      ['console_size', { console: 1, window: { columns: 0, lines: 1 } }, 'BAD_REQUEST'],
      ['console', { label: 'shown', look: 'perhaps' }, 'BAD_REQUEST'],
    ] as const)
      await expect(client.ask(what, args)).rejects.toMatchObject({ code });
    client.close();
  });

  test('without a terminal of its own passes its input on to the end, and shows output until it is interrupted', async () => {
    const program = await attach({ piped: true });
    expect(program.seen.said).toContain('Ctrl-C detaches');
    // No key detaches here: the byte is one as any other.
    program.type('first\n\u001dlast\n');
    program.endInput();
    await until(() => program.seen.output.includes('got "\\u001dlast"\n'));
    const person = await attach();
    person.type('later\n');
    await until(() => program.seen.output.includes('got "later"\n'));
    program.interrupt();
    expect([await program.ended, program.modes]).toEqual([0, []]);
    person.interrupt();
    await person.ended;
  });

  test('ends when the component closes its terminal', async () => {
    const person = await attach({ label: 'brief' });
    person.type('end\n');
    expect(await person.ended).toBe(0);
    expect(person.seen.said).toContain('ginit: the terminal is closed');
    expect(person.modes).toEqual([true, false]);
  });

  const lacksTerminal = process.platform === 'linux' ? missingOf('script') : 'for Linux';
  const title = 'works at a real terminal, in raw mode and with its size, and gives it back';
  test.skipIf(lacksTerminal)(`${title}${lacksTerminal ? ` (skipped: ${lacksTerminal})` : ''}`, async () => {
    // The shell of the terminal shows its modes before and after.
    const command = `stty rows 33 cols 77; stty -g; ${process.execPath} ${GINIT} console shown; stty -g`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: place.directory,
      env: { ...process.env, GINIT_RUNTIME_DIR: sockets },
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const ended = new Promise((resolve) => child.on('close', resolve));
    await until(() => output.includes('size 77 x 33'));
    child.stdin.write('\u0003raw\n');
    await until(() => output.includes('got "\\u0003raw"'));
    child.stdin.write('\u001d');
    await ended;
    const modes = output.match(/^[0-9a-f]+(?::[0-9a-f]+){10,}/gm) ?? [];
    expect(modes, output).toHaveLength(2);
    expect(modes[0]).toBe(modes[1]);
    expect(output).toContain('ginit: detached');
  });

  test('has its command line checked', () => {
    const parsed = (...args: string[]): unknown => parseRunning('console', args);
    expect(parsed('vm', '--look')).toMatchObject({ look: true, detachByte: 0x1d, labels: ['vm'] });
    expect(parsed('vm', '--detach-key', 'ctrl-A')).toMatchObject({ detachByte: 1 });
    expect(parsed('vm', '--detach-key', '^q')).toMatchObject({ detachByte: 0x11 });
    expect(parsed('vm', '--detach-key', 'none')).toMatchObject({ detachByte: undefined });
    expect(parsed('vm', '--detach-key', 'q')).toBe(
      '--detach-key q: not a key such as ctrl-] or ctrl-A, and not none',
    );
    expect(parsed()).toBe('ginit console takes one label (in quotes: "init -> fs")');
    expect(parsed('vm', '--json')).toBe('ginit console has no option --json');
    expect(parseRunning('ps', ['--look'])).toBe('ginit ps has no option --look');
  });
});

describe('other ends of terminals', () => {
  test('terminal_log has the lines in the log', () => {
    expect(system.stdout).toContain('[init -> terminal_log] logged -> serial: ready\n');
  });

  test('socket_terminal denies a second session at the same socket', async () => {
    place.write(
      'both.mjs',
      `import { component } from '${CORE_URL}';
import { Terminal, TerminalClient } from '${CORE_URL}/terminal';
export default component({ requires: [Terminal] }, async (env) => {
  await TerminalClient.connect(env, { label: 'one' });
  const other = TerminalClient.connect(env, { label: 'two' });
  await env.log(await other.then(() => 'has both', (error) => String(error)));
  env.exit(0);
});`,
    );
    place.write(
      'both.xml',
      systemConfig(`
  <start name="sockets" ram="8M"> <binary name="socket_terminal"/> <provides> <service name="Terminal"/> </provides>
    <host> <unix listen="both.sock"/> </host>
    <config> <policy label_suffix="one" listen="unix:both.sock"/> <policy label_suffix="two" listen="unix:both.sock"/> </config>
  </start>
  <start name="both"> <binary name="./both.mjs"/> <exit propagate="yes"/> </start>`),
    );
    const { code, lines } = await place.run('both.xml');
    expect(lines).toContainEqual(
      expect.stringMatching(/^\[init -> both\] .*DENIED: cannot listen at "unix:both\.sock" \(/),
    );
    expect(code).toBe(0);
  });

  test('socket_terminal serves whoever connects, with what was written before, and tells of what is lost', async () => {
    const path = place.path('served.sock');
    expect(existsSync(path)).toBe(true);
    const connect = () => {
      const socket = createConnection({ path });
      const seen = { text: '', closed: false };
      socket.setEncoding('utf8').on('data', (text: string) => (seen.text += text));
      socket.on('close', () => (seen.closed = true));
      return { socket, seen };
    };
    const [one, other] = [connect(), connect()];
    await until(() => [one, other].every(({ seen }) => seen.text.includes('ready\n')));
    one.socket.write('hello\n');
    await until(() => [one, other].every(({ seen }) => seen.text.includes('got "hello"\n')));
    one.socket.end();
    await until(() => one.seen.closed);
    other.socket.write('flood\nstill\n');
    await until(() => other.seen.text.includes('got "still"\n'));
    const lost = /\[(\d+) bytes are lost/g;
    const counted = [...other.seen.text.matchAll(lost)].reduce((sum, [, count]) => sum + Number(count), 0);
    expect(counted + (other.seen.text.match(/x/g)?.length ?? 0)).toBeGreaterThanOrEqual(100_000);
    other.socket.write('end\n');
    await until(() => other.seen.closed);
    expect(existsSync(path)).toBe(false);
  });
});
