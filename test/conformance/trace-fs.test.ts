/** trace_fs: what each file holds, and what writing to it does. */
import { component, type Env, hasCode, integer, rpc, session } from '@ginit/core';
import { FileSystem, FileSystemClient } from '@ginit/core/file_system';
import { expect, test } from 'vitest';
import traceFs from '../../packages/os/src/trace_fs/main.ts';
import { runSystem } from '../harness/in-process-system.ts';

const Adder = session('Adder', {
  add: rpc<(number: number) => number>({ args: [integer()], result: integer() }),
  end: rpc<() => void>(),
});

const adder = component({ provides: [Adder] }, (env) => {
  env.provide(Adder, () => ({
    add: (number) => {
      env.checkpoint('adding', number);
      return number + 1;
    },
    end: () => env.exit(0),
  }));
});

/** The file system as a person with a shell uses it. */
class Shell {
  readonly fs: FileSystemClient;

  constructor(fs: FileSystemClient) {
    this.fs = fs;
  }

  async cat(path: string): Promise<string> {
    return new TextDecoder().decode(await this.fs.readFile(path, 2 ** 20));
  }

  /** Like `echo TEXT > PATH`: the code of the error, if there is one. */
  async echo(path: string, text: string): Promise<string> {
    try {
      await this.fs.withFile(path, { mode: 'write-only' }, async (file) => {
        await file.truncate(0);
        await file.write(0, new TextEncoder().encode(text));
      });
      return 'written';
    } catch (error) {
      return hasCode(error, 'x') ? '' : String(Reflect.get(Object(error), 'code'));
    }
  }

  async ls(path: string): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.fs.readdir(path)) names.push(name);
    return names.toSorted();
  }

  /** The directory of the component with this name. */
  async directory(name: string): Promise<string> {
    const found = (await this.ls('/init')).find((one) => one.startsWith(`${name}.`));
    expect(found, name).toBeDefined();
    return `/init/${found}`;
  }
}

type Work = (shell: Shell, env: Env) => Promise<void>;

async function run(work: Work, policy = 'root="/" interval="20"'): Promise<void> {
  const shell = component({ requires: [FileSystem, Adder] }, async (env) => {
    await work(new Shell(await FileSystemClient.connect(env)), env);
    env.exit(0);
  });
  const { end, lines, complaints } = await runSystem(
    'shared',
    { adder, trace_fs: traceFs, shell },
    `<start name="adder" caps="200"> <provides> <service name="Adder"/> </provides> </start>
     <start name="trace_fs" ram="48M" caps="400"> <provides> <service name="File_system"/> </provides>
       <config> <default-policy ${policy}/> </config>
       <route> <service name="TRACE"> <parent label=""/> </service>
         <any-service> <parent/> <any-child/> </any-service> </route>
     </start>
     <start name="shell" ram="16M" caps="200"> <exit propagate="yes"/> </start>`,
  );
  expect(end, [...lines, ...complaints].join('\n')).toEqual({ kind: 'exit', code: 0 });
}

const pause = (env: Env, ms = 30): Promise<void> =>
  new Promise((resolve) => void env.timer.after(ms, resolve));
/** Microseconds in front of each event. */
const withoutTimes = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\S+ /, ''));

test('every file has its default, and what a person does first works', async () => {
  await run(async (shell, env) => {
    const client = await env.connect(Adder);
    expect(await shell.ls('/')).toEqual(['events.json', 'init', expect.stringMatching(/^init\.\d+$/)]);
    const directory = await shell.directory('adder');
    const names = ['active', 'buffer_size', 'cleanup', 'enable', 'error', 'events', 'events.json', 'policy'];
    expect(await shell.ls(directory)).toEqual(names);
    const all = await Promise.all(names.slice(0, 6).map((name) => shell.cat(`${directory}/${name}`)));
    expect(all).toEqual(['0\n', '32768\n', '0\n', '0\n', '', '']);
    expect(await shell.cat(`${directory}/policy`)).toBe('');

    expect(await shell.echo(`${directory}/policy`, 'rpc_args checkpoint\n')).toBe('written');
    expect(await shell.cat(`${directory}/active`)).toBe('0\n');
    expect(await shell.echo(`${directory}/enable`, '1\n')).toBe('written');
    expect(await shell.cat(`${directory}/active`)).toBe('1\n');
    await client.add(4);
    const seen = withoutTimes(await shell.cat(`${directory}/events`));
    expect(seen).toEqual([
      expect.stringMatching(/^rpc_dispatch @\d+ Adder\.add\(4\)$/),
      'checkpoint adding 4',
      expect.stringMatching(/^rpc_reply @\d+ Adder\.add = 5$/),
    ]);
    await client.add(5);
    expect(withoutTimes(await shell.cat(`${directory}/events`))).toHaveLength(6);
    const { traceEvents } = JSON.parse(await shell.cat(`${directory}/events.json`));
    expect(traceEvents.filter(({ ph }: { ph: string }) => ph === 'X')).toHaveLength(2);

    expect(await shell.echo(`${directory}/cleanup`, '1')).toBe('Busy');
    expect(await shell.echo(`${directory}/enable`, '0\n')).toBe('written');
    await client.add(6);
    expect(withoutTimes(await shell.cat(`${directory}/events`))).toHaveLength(6);
    expect(await shell.cat(`${directory}/active`)).toBe('0\n');
    expect(await shell.echo(`${directory}/cleanup`, '1')).toBe('written');
    await pause(env, 60);
    // It lives, so it is there again, as if it had never been traced.
    const again = await shell.directory('adder');
    expect(await shell.cat(`${again}/events`)).toBe('');
    expect(await shell.cat(`${again}/policy`)).toBe('');
  });
});

test('enabling before there is a policy waits for it, and a policy takes effect at once', async () => {
  await run(async (shell, env) => {
    const client = await env.connect(Adder);
    const directory = await shell.directory('adder');
    expect(await shell.echo(`${directory}/enable`, '1')).toBe('written');
    expect(await shell.cat(`${directory}/active`)).toBe('0\n');
    expect(
      await shell.echo(
        `${directory}/policy`,
        'export default { rpcDispatch: (call) => `one ${call.name}` };',
      ),
    ).toBe('written');
    expect(await shell.cat(`${directory}/active`)).toBe('1\n');
    await client.add(1);
    expect(await shell.echo(`${directory}/policy`, 'export default { rpcDispatch: () => "two" };')).toBe(
      'written',
    );
    await client.add(1);
    expect(
      withoutTimes(await shell.cat(`${directory}/events`)).map((line) => line.replace(/ @\d+/, '')),
    ).toEqual(['rpc_dispatch one Adder.add', 'rpc_dispatch two']);
    // A policy that is none leaves the one before.
    expect(await shell.echo(`${directory}/policy`, "import 'node:fs';")).toBe('Invalid_argument');
    expect(await shell.cat(`${directory}/error`)).toContain('a policy must do without "import"');
    expect(await shell.cat(`${directory}/policy`)).toContain('two');
    // One that fails ends its own trace.
    await shell.echo(
      `${directory}/policy`,
      'export default { rpcDispatch: () => { throw new Error("oh"); } };',
    );
    expect(await client.add(7)).toBe(8);
    await pause(env, 60);
    expect(await shell.cat(`${directory}/active`)).toBe('0\n');
    expect(await shell.cat(`${directory}/error`)).toBe('rpc_dispatch throws: oh\n');
  });
});

test('sizes are clamped, quotas are exhausted, and nothing can be made, removed or written that is not', async () => {
  const policy = 'root="/" interval="20" trace_quota="100K" buffer_size="64K" buffer_size_max="128K"';
  await run(async (shell, env) => {
    const directory = await shell.directory('adder');
    const own = await shell.directory('shell');
    expect(await shell.cat(`${directory}/buffer_size`)).toBe('65536\n');
    expect(await shell.echo(`${directory}/buffer_size`, '1')).toBe('written');
    expect(await shell.cat(`${directory}/buffer_size`)).toBe('4096\n');
    expect(await shell.echo(`${directory}/buffer_size`, '10M')).toBe('written');
    expect(await shell.cat(`${directory}/buffer_size`)).toBe('131072\n');
    expect(await shell.echo(`${directory}/buffer_size`, 'much')).toBe('Invalid_argument');
    await shell.echo(`${directory}/policy`, 'null');
    await shell.echo(`${own}/policy`, 'null');
    expect(await shell.echo(`${directory}/enable`, '1')).toBe('No_space');
    expect(await shell.cat(`${directory}/error`)).toContain('OUT_OF_RAM: trace_quota is used up');
    await shell.echo(`${directory}/buffer_size`, '64K');
    expect(await shell.echo(`${directory}/enable`, '1')).toBe('written');
    expect(await shell.echo(`${own}/enable`, '1')).toBe('No_space');
    expect(await shell.echo(`${directory}/enable`, '0')).toBe('written');
    expect(await shell.echo(`${own}/enable`, '1')).toBe('written');
    expect(await shell.echo(`${directory}/active`, '1')).toBe('Permission_denied');
    expect(await shell.echo(`${directory}/events`, 'nowhere')).toBe('written');
    const code = (error: unknown): unknown => Reflect.get(Object(error), 'code');
    expect(await shell.fs.unlink(`${directory}/events`).catch(code)).toBe('Permission_denied');
    expect(await shell.fs.mkdir('/more').catch(code)).toBe('Permission_denied');
    await pause(env);
  }, policy);
});

test('levels of labels are left out, and a subject that dies while it is traced stays until it is cleaned up', async () => {
  await run(async (shell, env) => {
    const names = await shell.ls('/');
    expect(names.map((name) => name.replace(/\.\d+$/, '.N'))).toEqual([
      'adder.N',
      'events.json',
      'init.N',
      'shell.N',
      'trace_fs.N',
    ]);
    const client = await env.connect(Adder);
    const directory = `/${names.find((name) => name.startsWith('adder'))}`;
    await shell.echo(`${directory}/policy`, 'checkpoint');
    await shell.echo(`${directory}/enable`, '1');
    await client.add(9);
    await client.end();
    await pause(env, 200);
    expect(withoutTimes(await shell.cat(`${directory}/events`))).toEqual(['checkpoint adding 9']);
    expect(await shell.echo(`${directory}/enable`, '0')).toBe('written');
    expect(await shell.echo(`${directory}/cleanup`, '1')).toBe('written');
    await pause(env, 100);
    expect((await shell.ls('/')).some((name) => name.startsWith('adder'))).toBe(false);
  }, 'root="/" interval="20" parent_levels="1"');
});
