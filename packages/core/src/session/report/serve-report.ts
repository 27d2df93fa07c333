/** The server's side of a Report session. */
import { RpcError } from '../../errors.ts';
import type { Implementation } from '../../interface/interface.ts';
import type { SessionArguments } from '../parent.ts';
import { type Report, reportBufferBytes } from './declaration.ts';

/** The part of a session request that is needed to serve it. */
export interface ReportSessionContext {
  readonly args: SessionArguments;
}

/** What a server does with the reports of one client. */
export interface ReportReceiver {
  /**
   * Called with every report, in their order. It may keep `content`. What it throws the client
   * gets.
   */
  readonly submit: (content: Uint8Array) => void | Promise<void>;
  /** Called when the session was closed. */
  readonly closed?: () => void | Promise<void>;
}

/**
 * Serves the reports of one client. No report that is larger than the client's buffer gets through;
 * the buffer is paid by the client's donation.
 *
 *     env.provide(Report, (session) =>
 *       serveReport(session, { submit: (content) => keep(session.label, content) }),
 *     );
 */
export function serveReport(
  session: ReportSessionContext,
  receiver: ReportReceiver,
): Implementation<typeof Report> {
  const bufferBytes = reportBufferBytes(session.args);
  return {
    submit: async (content) => {
      const sizeBytes = content.byteLength;
      if (sizeBytes > bufferBytes) {
        throw new RpcError('Too_large', `a report of ${sizeBytes} bytes, and a buffer of ${bufferBytes}`);
      }
      await receiver.submit(content);
    },
    [Symbol.asyncDispose]: async () => receiver.closed?.(),
  };
}
