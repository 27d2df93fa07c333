/** ROM: a client sees a version until it asks for the next one, and is told that there is one. */
import { component, Rom, RomClient, RomModule } from '@ginit/core';
import { expect, test } from 'vitest';
import { type CarrierKind, runSystem } from '../harness/in-process-system.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (content: Uint8Array | undefined): string =>
  content === undefined ? 'absent' : new TextDecoder().decode(content);

/** Serves a module that changes whenever somebody opens a session labelled `change`. */
const library = component({ provides: [Rom] }, (env) => {
  const versions = ['second', undefined, 'fourth'];
  const module = new RomModule(bytes('first'));
  env.provide(Rom, ({ label }) => {
    if (label.last === 'change') {
      const next = versions.shift();
      module.replace(next === undefined ? undefined : bytes(next));
    }
    return module.open();
  });
});

const reader = component({ requires: [Rom] }, async (env) => {
  const session = await env.connect(Rom, { label: 'book' });
  const rom = new RomClient(session);
  let wake = (): void => {};
  const changed = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  await rom.onChange(env.signal(() => wake()));
  await env.log(textOf(await rom.content()));
  for (let i = 0; i < 3; i++) {
    const told = changed();
    await env.close(await env.connect(Rom, { label: 'change' }));
    await told;
    await env.log(`new: ${await session.update()}`);
    await env.log(textOf(await rom.content()));
    await env.log(`new: ${await session.update()}`);
  }
  // The version is outdated already when the client begins to listen, so the client is told at
  // once.
  const late = new RomClient(await env.connect(Rom, { label: 'book' }));
  await env.close(await env.connect(Rom, { label: 'change' }));
  const told = changed();
  await late.onChange(env.signal(() => wake()));
  await told;
  env.exit(0);
});

test.each<CarrierKind>(['shared', 'copying', 'tiny rings', 'bus'])(
  'over a carrier that is %s',
  async (kind) => {
    const { end, lines } = await runSystem(
      kind,
      { library, reader },
      `<start name="library"> <provides> <service name="ROM"/> </provides> </start>
     <start name="reader"> <exit propagate="yes"/>
       <route>
         <service name="ROM" label="config"> <parent/> </service>
         <service name="ROM" unscoped_label="reader"> <parent/> </service>
         <service name="ROM"> <child name="library"/> </service>
         <any-service> <parent/> </any-service>
       </route>
     </start>`,
    );
    expect(end).toEqual({ kind: 'exit', code: 0 });
    const said = lines.filter((line) => line.startsWith('[init -> reader]')).map((line) => line.slice(17));
    const changes = ['second', 'absent', 'fourth'];
    expect(said).toEqual(['first', ...changes.flatMap((content) => ['new: true', content, 'new: false'])]);
  },
);
