/** Runs a whole system (core, init, components given as objects) in the test's own thread. */
import type { Component } from '@ginit/core';
import { configContent, readXml } from '@ginit/core/config';
import { ROOT_LABEL, Supervisor, type SystemConfig, type SystemEnd } from '@ginit/core/supervisor';
import initComponent from '@ginit/init/component';
import { type CarrierKind, InProcessPlatform } from '../../packages/core/test/in-process-platform.ts';

export type { CarrierKind } from '../../packages/core/test/in-process-platform.ts';

const QUOTA = { ram: 2 ** 30, caps: 10_000 };
const TIMEOUT_MS = 20_000;

/** A system that runs. */
export interface InProcessSystem {
  readonly platform: InProcessPlatform;
  readonly supervisor: Supervisor;
  /** The end that components brought about. */
  readonly end: Promise<SystemEnd>;
  /** Gives it other start nodes. */
  reconfigure(starts: string): void;
}

/** Start nodes wrapped in what every config of these tests has. */
export function configOf(starts: string): string {
  return `<config>
    <parent-provides>
      <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/>
      <service name="Timer"/> <service name="TRACE"/>
    </parent-provides>
    <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
    <default caps="100" ram="4M"/>
    ${starts}
  </config>`;
}

/** Starts a system; component names are binary names. */
export function startSystem(
  kind: CarrierKind,
  components: Readonly<Record<string, Component>>,
  starts: string,
): InProcessSystem {
  const all = new Map(Object.entries({ ...components, init: initComponent }));
  const platform = new InProcessPlatform(kind, all);
  const systemOf = (those: string): SystemConfig => ({
    grants: [],
    findBinary: (name) => (all.has(name) ? { moduleUrl: name, files: [], takes: 'nothing' } : undefined),
    config: configContent(readXml(configOf(those), 'config.xml')),
  });
  const supervisor = new Supervisor(platform, {
    binary: { moduleUrl: 'init', files: [], takes: 'nothing' },
    ...systemOf(starts),
    quota: QUOTA,
    observer: {
      crashed: (label, end) => platform.complaints.push(`[${label}] crashed: ${end.reason}`),
      warning: (text) => platform.complaints.push(text),
    },
  });
  const reconfigure = (those: string): void => supervisor.reconfigure(systemOf(those));
  return { platform, supervisor, end: supervisor.run(), reconfigure };
}

/** The result of a finished system. */
export interface FinishedSystem {
  readonly end: SystemEnd;
  readonly lines: readonly string[];
  readonly complaints: readonly string[];
}

/** Waits for the end of a system, stops it, and checks that all quota came back to the root. */
export async function finish({
  platform,
  supervisor,
  end,
}: Omit<InProcessSystem, 'reconfigure'>): Promise<FinishedSystem> {
  const timeout = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new Error(`no end in sight; log so far:\n${platform.lines.join('\n')}`));
    setTimeout(fail, TIMEOUT_MS).unref();
  });
  const how = await Promise.race([end, timeout]);
  await Promise.race([supervisor.stop(TIMEOUT_MS), timeout]);
  const root = (await supervisor.summary()).find(({ label }) => label === ROOT_LABEL);
  const whole = { ramQuota: QUOTA.ram, ramUsed: 0, capQuota: QUOTA.caps, capUsed: 0 };
  if (JSON.stringify(root?.account) !== JSON.stringify(whole)) {
    throw new Error(`the root of the tree is left with ${JSON.stringify(root?.account)}`);
  }
  const { live, channels } = supervisor.census();
  if (live.length + channels.length > 0) throw new Error(`still there: ${live.join(', ')}`);
  return { end: how, lines: platform.lines, complaints: platform.complaints };
}

/** Runs a system to its end. */
export async function runSystem(
  kind: CarrierKind,
  components: Readonly<Record<string, Component>>,
  starts: string,
): Promise<FinishedSystem> {
  return finish(startSystem(kind, components, starts));
}
