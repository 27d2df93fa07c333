/**
 * A sandbox under test in a whole system in the test's own thread: the test applies configs to it
 * and looks at its children and at the supervisor's accounts.
 */
import { type Component, component, type Env } from '@ginit/core';
import { readXml } from '@ginit/core/config';
import type { LedgerChild } from '@ginit/core/system';
import type { AccountTree } from '@ginit/core/supervisor';
import { type InitConfig, readInitConfig, Sandbox, type SandboxOptions } from '@ginit/init';
import { ledgerOf } from '../../packages/core/src/runtime/ledger.ts';
import { finish, startSystem } from './in-process-system.ts';

const LABEL = 'init -> laboratory';
const DEFAULT_AROUND = `<parent-provides>
  <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
</parent-provides>
<default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>`;

/** A config of these start nodes; `around` stands for its other elements. */
export function readSystem(starts: string, around = DEFAULT_AROUND): InitConfig {
  const text = `<config> ${around} <default caps="100" ram="4M"/> ${starts} </config>`;
  const { config, errors } = readInitConfig(readXml(text, 'config.xml'));
  if (errors[0]) throw errors[0];
  return config;
}

/**
 * A start node "nest" for an init whose children may have sessions of `Store`, which come from its
 * sibling "a".
 */
export function nestedInit(starts: string, attributes = 'reattach="yes"'): string {
  return `<start name="nest" ${attributes} caps="400" ram="40M"> <binary name="init"/>
    <config>
      <parent-provides> <service name="ROM"/> <service name="LOG"/> <service name="PD"/>
        <service name="CPU"/> <service name="Timer"/> <service name="Store"/> </parent-provides>
      <default-route> <any-service> <parent/> </any-service> </default-route>
      <default caps="100" ram="4M"/>
      ${starts}
    </config>
    <route> <service name="Store"> <child name="a"/> </service>
      <any-service> <parent/> </any-service> </route> </start>`;
}

/** What a test has of its sandbox. */
export interface Laboratory {
  readonly env: Env;
  readonly sandbox: Sandbox;
  /** Applies start nodes; `around` stands for the other elements of the config. */
  apply(starts: string, around?: string): Promise<void>;
  /** The children as `name#id state`, separated by spaces. */
  children(): string;
  /** Waits until the children are these. */
  shows(children: string): Promise<void>;
  /** Waits until something holds. */
  until(what: () => boolean | Promise<boolean>): Promise<void>;
  /** The RAM and capabilities of the account of a child. */
  quota(child: string): { readonly ram: number; readonly caps: number } | undefined;
  /** Lines of the log that contain a text. */
  lines(text: string): string[];
  /** Waits until all books agree with the supervisor's accounts, and fails if they never do. */
  conserved(): Promise<void>;
}

/** Two instances of a child have one name, while one takes the place of the other. */
function add(
  sums: Map<string, { ram: number; caps: number }>,
  name: string,
  { ram, caps }: { readonly ram: number; readonly caps: number },
): void {
  const sum = sums.get(name) ?? { ram: 0, caps: 0 };
  sums.set(name, { ram: sum.ram + ram, caps: sum.caps + caps });
}

/** The amounts by which the accounts differ from what init has booked. */
function differences(children: readonly LedgerChild[], tree: AccountTree | undefined): string[] {
  const expected = new Map<string, { ram: number; caps: number }>();
  for (const { name, given } of children) add(expected, name, given);
  for (const { name, sessions } of children) {
    for (const { server, donation } of sessions) {
      const [own, theirs] = [expected.get(name), server === undefined ? undefined : expected.get(server)];
      if (own) [own.ram, own.caps] = [own.ram - donation.ram, own.caps - donation.caps];
      if (theirs) [theirs.ram, theirs.caps] = [theirs.ram + donation.ram, theirs.caps + donation.caps];
    }
  }
  const accounts = new Map<string, { ram: number; caps: number }>();
  for (const { label, total } of tree?.dependents ?? []) add(accounts, label, total);
  const found = Array.from(expected, ([name, { ram, caps }]) => {
    const total = accounts.get(`${LABEL} -> ${name}`);
    accounts.delete(`${LABEL} -> ${name}`);
    if (!total && ram === 0 && caps === 0) return '';
    return total?.ram === ram && total.caps === caps
      ? ''
      : `${name}: ${JSON.stringify([total, { ram, caps }])}`;
  });
  return [...found.filter((text) => text !== ''), ...accounts.keys()];
}

/**
 * Runs a script over a sandbox, stops everything, and checks that all quota came back. `plugged`
 * gives what is plugged into the sandbox.
 */
export async function laboratory(
  components: Readonly<Record<string, Component>>,
  script: (it: Laboratory) => Promise<void>,
  plugged: (env: Env) => SandboxOptions = () => ({}),
): Promise<readonly string[]> {
  let failure: unknown;
  const conduct = component({}, async (env) => {
    const sandbox = new Sandbox(env, () => {}, plugged(env));
    const tree = (): AccountTree | undefined =>
      system.supervisor.accounts().root.dependents.find(({ label }) => label === LABEL);
    const until = async (what: () => boolean | Promise<boolean>): Promise<void> => {
      for (let tries = 0; !(await what()); tries++) {
        if (tries > 4000)
          throw new Error(`it never holds: ${what.toString()}\n${it.children()}\n${it.lines('').join('\n')}`);
        await env.timer.sleep(1);
      }
    };
    const it: Laboratory = {
      env,
      sandbox,
      until,
      apply: (starts, around) => sandbox.apply(readSystem(starts, around)),
      children: () => sandbox.state.map(({ name, id, state }) => `${name}#${id} ${state}`).join(', '),
      quota: (child) => {
        const account = tree()?.dependents.find(({ label }) => label === `${LABEL} -> ${child}`);
        return account?.total;
      },
      shows: (children) =>
        until(() => it.children() === children).catch((error: unknown) => {
          throw new Error(`not ${children}`, { cause: error });
        }),
      lines: (text) => system.platform.lines.filter((line) => line.includes(text)),
      conserved: async () => {
        let last: string[] = [];
        await until(() => {
          last = differences(ledgerOf(env) ?? [], tree());
          return last.length === 0;
        }).catch(() => {
          throw new Error(`books and accounts differ: ${last.join('; ')}`);
        });
      },
    };
    try {
      await script(it);
      await it.conserved();
    } catch (error) {
      failure = error;
    }
    await sandbox.stop();
    env.exit(0);
  });
  const system = startSystem(
    'shared',
    { ...components, laboratory: conduct },
    '<start name="laboratory" ram="200M" caps="4000"> <exit propagate="yes"/> </start>',
  );
  const { lines } = await finish(system);
  if (failure) throw failure;
  return lines;
}
