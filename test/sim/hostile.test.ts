/**
 * Tests components that break the protocol with their parent: the planned acts happen, and are
 * reported.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HOSTILE_PLACES, HOSTILE_WAYS } from '@ginit/simulator';
import { CORE_URL, type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.write(
    'den.mjs',
    `import { component, rpc, session } from '${CORE_URL}';
    export const Den = session('Den', { ask: rpc({ args: [] }) });
    export default component({ provides: [Den] }, (env) => { env.provide(Den, () => ({ ask: () => {} })); });`,
  );
  // Side by side, since one of them may wait for ever.
  place.write(
    'guest.mjs',
    `import { component } from '${CORE_URL}'; import { Den } from './den.mjs';
    const within = (env, step) => Promise.race([step, env.timer.sleep(300)]).catch(() => {});
    const visit = async (env) => {
      const den = await env.connect(Den, { ram: 4096 });
      await env.upgrade(den, { ram: 4096, caps: 1 });
      await env.close(den);
    };
    export default component({ requires: [Den] }, async (env) => {
      await Promise.all(Array.from({ length: 2 }, () => within(env, visit(env))));
      env.exit(0);
    });`,
  );
  const start = (name: string, binary: string, more: string): string =>
    `<start name="${name}"> <binary name="./${binary}.mjs"/> ${more} </start>`;
  const pairs = HOSTILE_PLACES.map(({ role, step }) => {
    const den = `den-${role}-${step}`;
    const route = `<route> <service name="Den"> <child name="${den}"/> </service> <any-service> <parent/> </any-service> </route>`;
    const provides = '<provides> <service name="Den"/> </provides>';
    return start(den, 'den', provides) + start(`guest-${role}-${step}`, 'guest', route);
  });
  place.write('config.xml', systemConfig(pairs.join('\n')));
});
afterEach(() => place[Symbol.dispose]());

function simulate(plan: string, ...args: string[]): Promise<FinishedRun> {
  place.write('plan.xml', `<faults>\n  ${plan}\n</faults>`);
  return place.simulate('--faults', 'plan.xml', '--no-shrink', ...args, 'config.xml');
}

test.each(HOSTILE_WAYS)(
  'every step of clients and of servers can be made hostile in the way "%s"',
  async (way) => {
    const faults = HOSTILE_PLACES.map(({ role, step }) => {
      const who = role === 'server' || step === 'announce' ? 'den' : 'guest';
      const label = `init -> ${who}-${role}-${step}`;
      return `<hostile component="${label}" as="${role}" step="${step}" how="${way}" within="1" ms="1000"/>`;
    });
    const run = await simulate(faults.join('\n'), '--seeds', '1..1', '--all', '--any-exit');
    const [, counts = ''] = /^ginit: sim: \d+ faults: (.*)$/m.exec(run.stderr) ?? [];
    const kinds = HOSTILE_PLACES.map(({ role, step }) => `${role} ${step} ${way} 1`);
    expect(counts.split(', ').toSorted()).toEqual(kinds.toSorted());
  },
);

test('a hostile act is reported, and the seed repeats it', async () => {
  const plan =
    '<hostile component="init -> den-server-open" as="server" step="open" how="late" within="1" ms="500"/>';
  const verdict = ({ stderr }: FinishedRun): string | undefined =>
    /^.* state [0-9a-f]{16}$/m.exec(stderr)?.[0];
  const first = await simulate(plan, '--seed', '3', '--log');
  expect(first.stderr).toMatch(
    /^fault 1: \[init -> den-server-open\] will do its next "open" as a server late$/m,
  );
  expect(first.stderr).toMatch(/^fault 1: \[init -> den-server-open\] does open as a server \d+ ms late$/m);
  expect(first.code).toBe(0);
  expect(verdict(first)).toMatch(/./);
  expect(verdict(await simulate(plan, '--seed', '3'))).toBe(verdict(first));
});

test('a plan with a step in which the role has no part is refused, with its place', async () => {
  const { code, stderr } = await simulate('<hostile as="server" step="exit" within="5"/>');
  expect(stderr).toContain('plan.xml:2:3: a server has no part in the step "exit"');
  expect(code).toBe(2);
});
