/**
 * Tests services that a component plugs into its sandbox, for routes that lead to `<local/>`: they
 * are served as any other, and the books agree with the supervisor's accounts.
 */
import { component, type Env, rpc, session, SessionError, text, Timer } from '@ginit/core';
import { Block, BlockClient, serveBlock } from '@ginit/core/block';
import { Cpu, Pd } from '@ginit/core/system';
import { localService, type SandboxOptions } from '@ginit/init';
import { expect, test } from 'vitest';
import { RamDisk } from '../../packages/block/src/ram_block/ram-disk.ts';
import { type Laboratory, laboratory } from '../harness/laboratory.ts';

const Greeter = session('Greeter', { greet: rpc<() => string>({ args: [], result: text() }) });

const client = component({ requires: [Greeter] }, async (env) => {
  const greeter = await env.connect(Greeter, { label: env.config.node.value('label') ?? '' });
  await env.log(await greeter.greet());
  await env.upgrade(greeter, { ram: 8192, caps: 3 });
  env.config.onUpdate(async () => {
    await env.close(greeter);
    await env.log('closed');
  });
});
const asker = component({}, async (env) => {
  try {
    await env.connect(Greeter);
  } catch (error) {
    const code = error instanceof SessionError ? error.code : String(error);
    await env.log(`${code}, ${error instanceof SessionError ? JSON.stringify(error.kept) : ''}`);
  }
});
const reader = component({}, async (env) => {
  const blocks = await BlockClient.connect(env);
  await blocks.write(1, 1, new Uint8Array(512).fill(7));
  const read = new Uint8Array(512);
  await blocks.read(1, 1, read);
  await env.log(`read ${read.every((byte) => byte === 7)}`);
});
const waiter = component({ requires: [Timer] }, async (env) => {
  await env.timer.sleep(1);
  await env.log('it is later');
});

const routed = (name: string, binary: string, service: string, target = '<local/>', inner = '', ram = '4M') =>
  `<start name="${name}" ram="${ram}"> <binary name="${binary}"/> ${inner}
    <route> <service name="${service}"> ${target} </service> <any-service> <parent/> </any-service> </route> </start>`;

/** Greets by the label, and notes who is there. */
function greeting(open: Set<string>): (env: Env) => SandboxOptions {
  return () => ({
    services: [
      localService(Greeter, ({ label }) => {
        open.add(label.text);
        return {
          greet: () => `hello ${label.text}`,
          [Symbol.dispose]: () => void open.delete(label.text),
        };
      }),
    ],
  });
}

const run = (
  script: (it: Laboratory) => Promise<void>,
  plugged?: (env: Env) => SandboxOptions,
): Promise<readonly string[]> => laboratory({ client, asker, reader, waiter }, script, plugged);

test('a route to <local/> leads to the service that was plugged in, and what was donated comes back', async () => {
  const open = new Set<string>();
  await run(async ({ apply, conserved, lines, quota, shows, until }) => {
    await apply(routed('c', 'client', 'Greeter', '<local/>', '<config label="a"/>'));
    await until(() => lines('hello c -> a').length > 0);
    await conserved();
    const paid = quota('c');
    await apply(routed('c', 'client', 'Greeter', '<local/>', '<config label="a" version="2"/>'));
    await until(() => lines('closed').length > 0);
    expect(open.size).toBe(0);
    await conserved();
    const after = quota('c');
    // A session costs one capability and 4K, and it was upgraded by three and 8K.
    expect([(after?.caps ?? 0) - (paid?.caps ?? 0), (after?.ram ?? 0) - (paid?.ram ?? 0)]).toEqual([
      4, 12_288,
    ]);
    await shows('c#1 running');
  }, greeting(open));
});

test('the sessions of a child that is removed, or crashes, are closed', async () => {
  const open = new Set<string>();
  await run(async ({ apply, conserved, until, sandbox }) => {
    await apply(routed('c', 'client', 'Greeter') + routed('d', 'client', 'Greeter'));
    await until(() => open.size === 2);
    await sandbox.act('kill', 'c');
    await until(() => open.size === 1);
    await apply('');
    expect(open.size).toBe(0);
    await conserved();
  }, greeting(open));
});

test('the target rewrites the label, and another label restarts the client', async () => {
  const open = new Set<string>();
  await run(async ({ apply, shows, until }) => {
    const to = (label: string) => routed('c', 'client', 'Greeter', `<local label="${label}"/> <parent/>`);
    await apply(to('one'));
    await until(() => open.has('one'));
    await apply(to('one').replace('<parent/>', ''));
    await shows('c#1 running');
    await apply(to('two'));
    await until(() => open.has('two') && open.size === 1);
    await shows('c#2 running');
  }, greeting(open));
});

test('children of a nested init reach it along their routes', async () => {
  const open = new Set<string>();
  await run(async ({ apply, conserved, until }) => {
    const inner = `<config> <parent-provides> <service name="ROM"/> <service name="LOG"/> <service name="PD"/>
        <service name="CPU"/> <service name="Greeter"/> </parent-provides>
      <default-route> <any-service> <parent/> </any-service> </default-route>
      <start name="c" ram="2M" caps="100"> <binary name="client"/> </start> </config>`;
    const nested = routed('sub', 'init', 'Greeter', '<local/>', inner, '8M').replace('ram', 'caps="300" ram');
    await apply(nested);
    await until(() => open.has('sub -> c -> '));
    await conserved();
    await apply('');
    expect(open.size).toBe(0);
    await conserved();
  }, greeting(open));
});

test('packet streams work as with any other server', async () => {
  await run(
    async ({ apply, conserved, lines, until }) => {
      await apply(routed('r', 'reader', 'Block'));
      await until(() => lines('read true').length > 0);
      await conserved();
    },
    () => ({
      services: [
        localService(Block, (context) =>
          serveBlock(context, new RamDisk(new Uint8Array(65_536), 512), { writeable: true }),
        ),
      ],
    }),
  );
});

test('a local service may be a mediator, also for the sessions of the environment', async () => {
  await run(
    async ({ apply, conserved, lines, until }) => {
      const route = '<service name="PD"> <local/> </service> <service name="CPU"> <local/> </service>';
      await apply(routed('w', 'waiter', 'Timer').replace('<any-service>', `${route} <any-service>`));
      await until(() => lines('it is later').length > 0);
      await conserved();
    },
    (env) => ({
      services: [Timer, Pd, Cpu].map((interface_) =>
        localService(interface_, ({ label, args, donation }) =>
          env.request(interface_, { label: label.text, args, donation }),
        ),
      ),
    }),
  );
});

test('what a local service refuses comes back, with the code and without the host', async () => {
  const answers = [
    new SessionError('DENIED', 'no policy'),
    new SessionError('OUT_OF_RAM'),
    new Error('/home/somebody'),
  ];
  const lines = await run(
    async ({ apply, conserved, lines: said, shows, until }) => {
      for (const index of [0, 1, 2]) {
        await apply(routed(`a${index}`, 'asker', 'Greeter'));
        await until(() => said(`a${index}] `).some((line) => line.includes('{"ram":0')));
        await conserved();
      }
      await shows('a2#3 running');
    },
    () => ({
      services: [
        localService(Greeter, () => {
          throw answers.shift() ?? new Error('no more');
        }),
      ],
    }),
  );
  expect(lines.filter((line) => /a\d\] /.test(line)).map((line) => line.replace(/.*\] /, ''))).toEqual([
    'DENIED, {"ram":0,"caps":0}',
    'OUT_OF_RAM, {"ram":0,"caps":0}',
    'DENIED, {"ram":0,"caps":0}',
  ]);
});

test('without the service <local/> leads nowhere, and the child is told so', async () => {
  await run(async ({ apply, lines, until, sandbox }) => {
    await apply(routed('a', 'asker', 'Greeter'));
    await until(() => lines('DENIED').length > 0);
    expect(lines('no target of this route provides service "Greeter"')).toHaveLength(1);
    expect(sandbox.config.localServices).toEqual([]);
  });
});
