/** The thread that does the work of `ginit image`, so that the command stays awake. */
import type { MessagePort } from 'node:worker_threads';
import { performTask } from './perform.ts';
import { type ImageAnswer, type ImageTask, Interrupted } from './task.ts';

/** The time between two words about how far the work has come. */
const PERIOD_MS = 100;

/** A task, and where its progress is told. */
export interface WorkerTask {
  readonly task: ImageTask;
  readonly port: MessagePort;
  /** Holds another number than 0 when the task is to stop. */
  readonly stop: Int32Array;
}

/** Carries out a task of the pool. */
export default async function runTask({ task, port, stop }: WorkerTask): Promise<ImageAnswer> {
  let toldMs = 0;
  try {
    return await performTask(task, (share) => {
      if (Atomics.load(stop, 0) !== 0) throw new Interrupted();
      const nowMs = performance.now();
      if (nowMs - toldMs < PERIOD_MS) return;
      toldMs = nowMs;
      port.postMessage(share);
    });
  } finally {
    port.close();
  }
}
