/** Gives a system its name and its control socket before it starts. */
import {
  ControlClient,
  controlDirectory,
  type ControlHandlers,
  ControlServer,
  defaultNames,
  socketPath,
} from './control/index.ts';

/** The door of a system; or why there is none, and whether the system may run without it. */
export type ControlDoor =
  | { readonly server: ControlServer }
  | { readonly refused: string }
  | { readonly lack: string };

/**
 * Opens the door. `config` is the absolute path of the config; without a `name` the system gets
 * that of its config. A name that another running system has is refused.
 */
export async function openControlDoor(
  config: string,
  name: string | undefined,
  handlers: ControlHandlers,
  directory = controlDirectory(),
): Promise<ControlDoor> {
  const greeting = { pid: process.pid, config };
  for (const each of name === undefined ? defaultNames(config) : [name]) {
    let opened = await ControlServer.listen(directory, each, greeting, handlers);
    let holder: Holder | undefined;
    if (!(opened instanceof ControlServer) && opened.kind === 'taken') {
      holder = await holderOf(socketPath(directory, each));
      // Who had the name a moment ago may have ended since.
      if (!holder) opened = await ControlServer.listen(directory, each, greeting, handlers);
    }
    if (opened instanceof ControlServer) return { server: opened };
    if (opened.kind === 'impossible') {
      return name === undefined ? { lack: opened.reason } : { refused: `--system ${name}: ${opened.reason}` };
    }
    // Another config may have the same name: then this system gets one that tells the two apart.
    if (name === undefined && holder?.config !== config) continue;
    return { refused: taken(each, holder) };
  }
  return { refused: taken(defaultNames(config)[1], undefined) };
}

interface Holder {
  readonly pid: number;
  readonly config: string;
}

async function holderOf(path: string): Promise<Holder | undefined> {
  const client = await ControlClient.connect(path);
  if (!(client instanceof ControlClient)) return undefined;
  client.close();
  return client.greeting;
}

function taken(name: string, holder: Holder | undefined): string {
  const who = holder ? ` (process ${holder.pid}, ${holder.config})` : '';
  return `system "${name}" runs already${who}; to run one more beside it, give it a name: --system NAME`;
}
