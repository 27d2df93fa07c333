/** Work over a connection that may take only so long, from the first attempt to connect on. */
import { quietDeferred } from '@ginit/core/async';

/** How long it may take, and how that is told. */
export interface TimeBound {
  readonly clock: { after(ms: number, handler: () => void): () => void };
  readonly timeoutMs: number;
  /** Makes the error for work that has taken longer. */
  readonly tooLate: () => Error;
}

/**
 * Connects, and works over the connection. When the time is over it rejects at once, with the
 * connection closed, or about to be closed as soon as there is one; `close` must see to it that
 * `work` touches nothing of its caller's any more.
 */
export async function connectWithin<Connection extends { close(): Promise<void> }, Result>(
  { clock, timeoutMs, tooLate }: TimeBound,
  connect: () => Promise<Connection>,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const late = quietDeferred<never>();
  let connection: Connection | undefined;
  let over = false;
  const cancel = clock.after(timeoutMs, () => {
    over = true;
    late.reject(tooLate());
    void connection?.close();
  });
  const perform = async (): Promise<Result> => {
    connection = await connect();
    if (!over) return work(connection);
    await connection.close();
    return late.promise;
  };
  try {
    const working = perform();
    // Nobody hears of what fails after the time is over.
    working.catch(() => {});
    return await Promise.race([working, late.promise]);
  } finally {
    cancel();
  }
}
