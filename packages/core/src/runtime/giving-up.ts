/**
 * A client that does not want to wait for a session for ever: the error it gets, and what becomes
 * of a session that comes late.
 */
import { RpcError, SessionError } from '../errors.ts';
import type { ConnectOptions } from './connect-options.ts';

/** Calls `handler` after so many milliseconds. The result cancels that. */
export type StartTimeout = (ms: number, handler: () => void) => () => void;

/** The error of a session that its client does not want any more. */
export class GivenUp extends SessionError {
  constructor() {
    super('DENIED', 'the client has given up');
  }
}

/**
 * Resolves to what `open` resolves to, or rejects as soon as the options say that it takes too
 * long. `open` is told of that by its signal, and takes back what it has got so far. `close` is
 * called with a session that was opened at the very moment of giving up.
 */
export function unlessGivenUp<T>(
  title: string,
  { timeoutMs, signal }: Pick<ConnectOptions, 'timeoutMs' | 'signal'>,
  startTimeout: StartTimeout,
  open: (givenUp: AbortSignal | undefined) => Promise<T>,
  close: (late: T) => void,
): Promise<T> {
  if (timeoutMs === undefined && signal === undefined) return open(undefined);
  return new Promise((resolve, reject) => {
    const patience = new AbortController();
    const giveUp = (reason: Error): void => {
      patience.abort();
      reject(reason);
    };
    const onAbort = (): void => giveUp(reasonOf(signal));
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const late = (): void => giveUp(new RpcError('TimedOut', `${title} after ${timeoutMs} ms`));
    const cancel = timeoutMs === undefined ? () => {} : startTimeout(timeoutMs, late);
    const done = (): void => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const opened = (value: T): void => {
      if (patience.signal.aborted) close(value);
      else resolve(value);
    };
    open(patience.signal).then(opened, reject).finally(done);
  });
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new RpcError('TimedOut', String(reason));
}
