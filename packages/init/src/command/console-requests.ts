/**
 * The requests by which people attach to the terminals of components. `console` goes on until the
 * terminal is closed or the client has had enough: its first item names the terminal and gives the
 * number by which the other two requests say at which attachment somebody types, or whose window
 * has changed. Bytes travel as base64, because a line of the protocol is JSON.
 */
import { hasCode, integer, optional, oneOf, record, RpcError, text, u53 } from '@ginit/core';
import type { Supervisor } from '@ginit/core/supervisor';
import { splitLabel } from '@ginit/core/system';
import { TERMINAL_CELLS_MAX, type TerminalWatcher } from '@ginit/core/terminal';
import {
  CONTROL_LIMITS,
  type ControlCall,
  ControlError,
  type ControlHandlers,
  meantBy,
} from './control/index.ts';

const cells = integer(1, TERMINAL_CELLS_MAX);
const windowSize = record({ columns: cells, lines: cells });
const consoleArguments = record({
  label: text(CONTROL_LIMITS.labelCharacters),
  /** The size of the client's window, if it has one. */
  window: optional(windowSize),
  /** Whether the client only looks. */
  look: optional(oneOf(['yes'])),
});
const typeArguments = record({ console: u53, bytes: text(CONTROL_LIMITS.requestBytes) });
const sizeArguments = record({ console: u53, window: windowSize });

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Bytes of output in one item. */
const ITEM_BYTES = 16 * 1024;

/** Somebody who is attached. */
interface Attachment {
  readonly watcher: TerminalWatcher;
  readonly mayType: boolean;
}

/** Answers the requests about the terminals of a system. */
export function consoleRequests(supervisor: Pick<Supervisor, 'terminals'>): ControlHandlers {
  const attachments = new Map<number, Attachment>();
  let lastNumber = 0;
  const attached = (number: number): Attachment => {
    const attachment = attachments.get(number);
    if (!attachment) throw new ControlError('NOT_FOUND', `console ${number} is not attached`);
    return attachment;
  };
  return {
    console: async (args, call) => {
      const { label: wanted, window, look } = consoleArguments(args, 'with');
      const { label, watch } = terminalMeant(wanted, supervisor.terminals);
      const watcher = refusedIfFull(watch);
      const number = ++lastNumber;
      attachments.set(number, { watcher, mayType: look === undefined });
      // Who only looks does not make the terminal smaller for the others.
      if (window && look === undefined) watcher.resize(window);
      try {
        await call.send({ console: number, label });
        await show(watcher, call);
      } finally {
        attachments.delete(number);
        watcher.leave();
      }
      return { label };
    },
    console_type: async (args) => {
      const { console: number, bytes } = typeArguments(args, 'with');
      const { watcher, mayType } = attached(number);
      if (!mayType) throw new ControlError('REFUSED', `console ${number} only looks`);
      if (!BASE64.test(bytes)) throw new ControlError('BAD_REQUEST', 'with.bytes is not base64');
      try {
        await watcher.type(Buffer.from(bytes, 'base64'));
      } catch (error) {
        if (hasCode(error, 'PeerGone')) throw new ControlError('NOT_FOUND', 'the terminal is closed');
        if (error instanceof RpcError) throw new ControlError('LIMIT', error.message);
        throw error;
      }
      return {};
    },
    console_size: (args) => {
      const { console: number, window } = sizeArguments(args, 'with');
      const { watcher, mayType } = attached(number);
      if (mayType) watcher.resize(window);
      return {};
    },
  };
}

async function show(watcher: TerminalWatcher, { signal, send }: ControlCall): Promise<void> {
  const leave = (): void => watcher.leave();
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) return;
  for (let part = await watcher.next(ITEM_BYTES); part; part = await watcher.next(ITEM_BYTES)) {
    const { bytes, lostBytes } = part;
    await send({
      bytes: Buffer.from(bytes).toString('base64'),
      ...(lostBytes > 0 ? { lostBytes } : {}),
    });
  }
}

/** The terminal of that label, or the only one of the component with that label. */
function terminalMeant(wanted: string, terminals: Supervisor['terminals']): Supervisor['terminals'][number] {
  const labels = terminals.map(({ label }) => label);
  const exact = meantBy(wanted, labels);
  const of = meantBy(wanted, [...new Set(labels.map((label) => splitLabel(label).prefix))]);
  const found = terminals.filter(({ label }) =>
    exact === undefined ? splitLabel(label).prefix === of : label === exact,
  );
  const [only] = found;
  if (only && found.length === 1) return only;
  if (only) {
    const which = found.map(({ label }) => `"${label}"`).join(' or ');
    throw new ControlError('NOT_FOUND', `"${wanted}" has several terminals: it could be ${which}`);
  }
  const known = labels.length === 0 ? 'none was routed to ginit' : `there are ${labels.join(', ')}`;
  throw new ControlError('NOT_FOUND', `there is no terminal "${wanted}" (${known})`);
}

function refusedIfFull(watch: () => TerminalWatcher): TerminalWatcher {
  try {
    return watch();
  } catch (error) {
    if (error instanceof RpcError) throw new ControlError('LIMIT', error.message);
    throw error;
  }
}
