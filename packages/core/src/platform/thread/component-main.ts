/**
 * The first module of a component's thread: imports the component, joins it to core, and takes further channels from
 * the domain process. Everything the component sees of the world is made here.
 */
import { MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Component } from '../../component.ts';
import { assert } from '../../errors.ts';
import { ComponentRuntime } from '../../runtime/component-runtime.ts';
import type { HostGrantFact } from '../../session/host-grant.ts';
import { GrantedHost } from './granted-host.ts';
import { portCarrier } from './port-carrier.ts';

/** What the domain process hands to a component's thread. */
export interface WorkerInput {
  readonly moduleUrl: string;
  readonly corePort: MessagePort;
  readonly grants: readonly { readonly grant: HostGrantFact; readonly target: string }[];
}

/** A new channel. */
export interface WorkerMessage {
  readonly peer: number;
  readonly port: MessagePort;
  readonly sharesMemory: boolean;
}

async function loadComponent(moduleUrl: string): Promise<Component> {
  const module: unknown = await import(moduleUrl);
  const exported: unknown =
    typeof module === 'object' && module !== null ? Reflect.get(module, 'default') : undefined;
  const found = Component.from(exported);
  if (!found) throw new TypeError('the module has no default export made by component()');
  return found;
}

const control = parentPort;
assert(control !== null, 'runs as a worker thread');
// The domain process is our own code: what it hands over has this type.
const input = workerData as WorkerInput;

const channels: WorkerMessage[] = [];
let addChannel = (message: WorkerMessage): void => {
  channels.push(message);
};
control.on('message', (message: WorkerMessage) => addChannel(message));

const component = await loadComponent(input.moduleUrl);
const runtime = new ComponentRuntime(component, portCarrier(input.corePort, false), {
  schedule: queueMicrotask,
  delay: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  crash: (error) =>
    setImmediate(() => {
      throw error;
    }),
  complain: (text) => console.error(text),
  host: new GrantedHost(input.grants),
});
addChannel = ({ peer, port, sharesMemory }) => runtime.addChannel(peer, portCarrier(port, sharesMemory));
for (const message of channels) addChannel(message);
