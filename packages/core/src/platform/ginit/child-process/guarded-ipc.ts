/**
 * The supervisor's end of Node's IPC channel to a process. We use that channel to hand over sockets, and the process says
 * nothing on it but that it has them. Node would take anything that is written there: it throws where nobody can catch at what is
 * no JSON, obeys commands of its own, and keeps an endless line. Whoever runs in the process can write there, so every byte is
 * looked at before Node sees it.
 *
 * Node acknowledges a handle by a line of its own (`NODE_HANDLE_ACK` in `lib/internal/child_process.js`), and one that it could
 * not take by another (`NODE_HANDLE_NACK`).
 */
import type { ChildProcess, SendHandle } from 'node:child_process';

const TAKEN = '{"cmd":"NODE_HANDLE_ACK"}';
const NOT_TAKEN = '{"cmd":"NODE_HANDLE_NACK"}';
/** Node tries a handle again three times. */
const REFUSALS_MAX = 3;

/** Looks at what a process says. */
export class IpcListener {
  #line = '';
  #handles = 0;
  #refusals = 0;

  /** A handle is on its way. */
  sent(): void {
    this.#handles++;
  }

  /** Whether these bytes are what the process may say now. */
  mayPass(bytes: Uint8Array): boolean {
    const text = this.#line + Buffer.from(bytes).toString('latin1');
    const lines = text.split('\n');
    this.#line = lines.pop() ?? '';
    return lines.every((line) => this.#isExpected(line)) && isBeginning(this.#line);
  }

  #isExpected(line: string): boolean {
    if (this.#handles === 0) return false;
    if (line === NOT_TAKEN) return ++this.#refusals <= REFUSALS_MAX;
    this.#refusals = 0;
    this.#handles--;
    return line === TAKEN;
  }
}

function isBeginning(line: string): boolean {
  return TAKEN.startsWith(line) || NOT_TAKEN.startsWith(line);
}

/** Hands sockets to a process. */
export interface GuardedIpc {
  send(message: object, handle: SendHandle): void;
}

/**
 * Guards the channel of a process that has just been started. `nonsense` is called once, if it says anything else; from then on
 * all that it says is dropped. Throws if this Node's channels are not as we know them: then the process must not run.
 */
export function guardIpc(child: ChildProcess, nonsense: () => void): GuardedIpc {
  const pipe = pipeOf(child);
  const read: unknown = pipe && Reflect.get(pipe, 'onread');
  if (!pipe || typeof read !== 'function') throw new Error('this version of Node has other IPC channels');
  const listener = new IpcListener();
  let over = false;
  const isAllowed = (bytes: ArrayBuffer): boolean => {
    if (over) return false;
    over = !listener.mayPass(new Uint8Array(bytes));
    if (over) nonsense();
    return !over;
  };
  Reflect.set(pipe, 'onread', (bytes: unknown): void => {
    // The end of the channel comes without any: Node waits for it.
    if (bytes instanceof ArrayBuffer && !isAllowed(bytes)) return;
    Reflect.apply(read, pipe, [bytes]);
  });
  return {
    send: (message, handle) => {
      listener.sent();
      child.send(message, handle, () => {});
    },
  };
}

/** Node keeps it under a name of its own. */
function pipeOf(child: ChildProcess): object | undefined {
  const key = Object.getOwnPropertySymbols(child).find(({ description }) => description === 'kChannelHandle');
  const pipe: unknown = key && Reflect.get(child, key);
  return typeof pipe === 'object' && pipe !== null ? pipe : undefined;
}
