/**
 * The supervisor's end of Node's IPC channel to a process. The channel is used to hand over
 * sockets, and the process says nothing on it but that it has them. Node itself would take anything
 * that is written there: it throws, where nobody can catch, at text that is no JSON, obeys commands
 * of its own, and keeps an endless line. Component code in the process can write there, so every
 * byte is checked before Node sees it. Node acknowledges a handle by a line of its own
 * (`NODE_HANDLE_ACK` in `lib/internal/child_process.js`), and refuses one that it could not take by
 * another (`NODE_HANDLE_NACK`).
 */
import type { ChildProcess, SendHandle } from 'node:child_process';

const TAKEN = '{"cmd":"NODE_HANDLE_ACK"}';
const NOT_TAKEN = '{"cmd":"NODE_HANDLE_NACK"}';
/** Node tries a handle again three times. */
const REFUSALS_MAX = 3;

/** Checks the bytes that a process writes to the channel. */
export class IpcListener {
  #line = '';
  #handles = 0;
  #refusals = 0;

  /** A handle was sent, so an acknowledgement may come. */
  sent(): void {
    this.#handles++;
  }

  /** Whether the process may write these bytes now. */
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
 * Guards the channel of a process that has just been started. `nonsense` is called once, if the
 * process writes anything that it must not; from then on everything that it writes is dropped.
 * Throws if the channels of this version of Node are not as we know them: then the process must not
 * run.
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
    // The channel's end is announced without bytes, and Node waits for that, so it passes.
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

/** Node keeps the pipe of the channel under a name of its own. */
function pipeOf(child: ChildProcess): object | undefined {
  const key = Object.getOwnPropertySymbols(child).find(({ description }) => description === 'kChannelHandle');
  const pipe: unknown = key && Reflect.get(child, key);
  return typeof pipe === 'object' && pipe !== null ? pipe : undefined;
}
