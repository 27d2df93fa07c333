/**
 * The state of a machine of QEMU in a stream: what QEMU sends to another QEMU when a machine moves
 * to it, in blocks, the last of which is empty. It has the memory and all devices, and requests of
 * disks that have failed and are to be tried again, but nothing of what is on the disks.
 */
import { isRecord, RpcError } from '@ginit/core';
import type { HostConnection, HostWorkplace } from '@ginit/core/host';
import {
  readBlock,
  StateError,
  type StateSink,
  type StateSource,
  writeBlock,
} from '../../state/state-stream.ts';
import { QEMU_SOCKETS } from './qemu-arguments.ts';
import type { QmpClient, QmpEvent } from './qmp-client.ts';

/** The largest block of a stream: more than a read of a socket gives. */
const BLOCK_BYTES_MAX = 4 * 1024 * 1024;
/** QEMU otherwise spares the network. */
const BYTES_PER_SECOND = 2 ** 40;
const URI = `unix:${QEMU_SOCKETS.state}`;

/** What moving a state takes. */
export interface Migration {
  readonly control: QmpClient;
  readonly workplace: HostWorkplace;
  /** Settles when QEMU says that it is done, with whether it has succeeded. */
  readonly done: Promise<boolean>;
}

/** Whether a migration has ended well, if the event says that it has ended. */
export function migrationEnd({ name, data }: QmpEvent): boolean | undefined {
  const status = name === 'MIGRATION' ? data['status'] : undefined;
  return status === 'completed' ? true : status === 'failed' ? false : undefined;
}

/** Takes the state out of a machine that stands still. Throws `StateError`. */
export async function sendState({ control, workplace, done }: Migration, into: StateSink): Promise<void> {
  const listener = await workplace.listen(QEMU_SOCKETS.state);
  try {
    await prepare(control);
    await control.execute('migrate-set-parameters', { 'max-bandwidth': BYTES_PER_SECOND });
    await control.execute('migrate', { uri: URI });
    const connection = await listener.accept();
    for (let bytes = await connection.read(); bytes; bytes = await connection.read())
      await writeBlock(into, bytes);
    await connection.close();
    if (!(await done)) throw new StateError(await failure(control));
    await writeBlock(into, new Uint8Array(0));
  } finally {
    await listener.close();
  }
}

/** Gives the state to a QEMU that waits for one. Throws `StateError`. */
export async function receiveState(
  { control, workplace, done }: Migration,
  from: StateSource,
): Promise<void> {
  await prepare(control);
  await control.execute('migrate-incoming', { uri: URI });
  const connection = await workplace.connect(QEMU_SOCKETS.state);
  await giveAll(connection, from);
  if (!(await done)) throw new StateError(await failure(control));
}

/** Gives bytes until there are no more, or QEMU takes no more: then it says why elsewhere. */
async function giveAll(connection: HostConnection, from: StateSource): Promise<void> {
  try {
    for (;;) {
      const bytes = await readBlock(from, BLOCK_BYTES_MAX);
      if (bytes.byteLength === 0) break;
      await connection.write(bytes.slice());
    }
    await connection.end();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
  } finally {
    await connection.close();
  }
}

/** Has QEMU tell of the steps of a migration. */
async function prepare(control: QmpClient): Promise<void> {
  await control.execute('migrate-set-capabilities', {
    capabilities: [{ capability: 'events', state: true }],
  });
}

async function failure(control: QmpClient): Promise<string> {
  const answer = await control.execute('query-migrate');
  const reason = isRecord(answer) ? answer['error-desc'] : undefined;
  return `QEMU does not move its state${typeof reason === 'string' ? `: ${reason}` : ''}`;
}
