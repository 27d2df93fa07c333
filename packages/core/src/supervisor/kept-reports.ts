/**
 * The Report service of the supervisor: keeps the newest report of each open session, for people.
 */
import type { Implementation } from '../interface/interface.ts';
import type { RootRequest } from '../session/parent.ts';
import { type Report, serveReport } from '../session/report/index.ts';

/** A report. */
export interface KeptReport {
  /** The whole label of the session, which ends in the name of the report. */
  readonly label: string;
  readonly content: Uint8Array;
}

/**
 * The reports of a system. Their bytes are paid for by the sessions that they came through, and
 * they go with these.
 */
export class KeptReports {
  readonly #newest = new Map<RootRequest, KeptReport>();

  /** A session for one more client. */
  open(request: RootRequest): Implementation<typeof Report> {
    const { label } = request;
    return serveReport(request, {
      submit: (content) => void this.#newest.set(request, { label, content }),
      closed: () => void this.#newest.delete(request),
    });
  }

  /** The newest reports, in the order of the first of each. */
  get all(): readonly KeptReport[] {
    return [...this.#newest.values()];
  }
}
