/** The thread of a mount whose user is in another one. */
import { parentPort, workerData } from 'node:worker_threads';
import type { FsOperations } from '../promises/index.ts';
import { openImage, type WorkerMount } from './open-image.ts';
import { MOUNTED, plainFailure, type WorkerAnswer, type WorkerCall } from './worker-protocol.ts';

const port = parentPort;
if (port === null) throw new Error('this is the module of a worker');

const answer = (message: WorkerAnswer, memory: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, memory);

/** Carries out a call. The result is what the answer says. */
async function perform(operations: FsOperations, call: WorkerCall): Promise<unknown> {
  if (call.name === 'read') {
    const into = new Uint8Array(call.lengthBytes);
    const length = await operations.read(call.handle, into, call.position);
    return into.subarray(0, length);
  }
  return Reflect.apply(operations[call.name], operations, call.args);
}

async function serve(operations: FsOperations, call: WorkerCall): Promise<void> {
  try {
    const result = await perform(operations, call);
    const own = result instanceof Uint8Array && result.buffer instanceof ArrayBuffer;
    answer({ id: call.id, result }, own ? [result.buffer as ArrayBuffer] : []);
  } catch (error) {
    answer({ id: call.id, failure: plainFailure(error) });
  }
}

try {
  // Whoever starts this module is our own code, so its data has this type.
  const operations = await openImage(workerData as WorkerMount, (line) => answer({ line }));
  port.on('message', (call: WorkerCall) => void serve(operations, call));
  answer({ id: MOUNTED, result: undefined });
} catch (error) {
  answer({ id: MOUNTED, failure: plainFailure(error) });
}
