/**
 * Report: how a component shows its state to others (reference: Genode's Report session). The label
 * of the session names the report. A report is a text, XML or HID, and the newest one counts: a
 * server keeps no earlier ones. `report_rom` makes ROM modules of reports.
 *
 * The client chooses the size of its buffer by the session argument `buffer_size` and pays for it
 * with its donation, so a server may keep a report of that size for each of its clients. In Genode
 * the buffer is a dataspace that both map; here a report travels with the call, which also works
 * between peers that share no memory. Genode's `response` half is left out: nobody uses it.
 */
import { rpc, session } from '../../interface/interface.ts';
import { bytes, nothing } from '../../interface/shapes.ts';
import { COSTS } from '../../costs.ts';
import { LIMITS } from '../../limits.ts';
import { bytesArgument, type SessionArguments } from '../parent.ts';

/** The size of a report's buffer in bytes if the client does not say; Genode's. */
export const REPORT_BUFFER_BYTES_DEFAULT = 4096;

/** Errors of the Report session. */
export const REPORT_ERRORS = [
  /** The report is larger than the buffer that the client has paid for. */
  'Too_large',
] as const;

/**
 * The size of the buffer that these arguments ask for. Throws `InvalidArgument` for impossible
 * ones.
 */
export function reportBufferBytes(args: Readonly<SessionArguments>): number {
  return bytesArgument(args, 'buffer_size', REPORT_BUFFER_BYTES_DEFAULT, LIMITS.reportBytes);
}

/** The Report session. Its argument `buffer_size` is the size of the largest report, in bytes. */
export const Report = session(
  'Report',
  {
    /**
     * The newest report, whole. `Too_large` if it is larger than `buffer_size`; then the one before
     * stays.
     */
    submit: rpc<(content: Uint8Array) => void>({ args: [bytes(LIMITS.reportBytes)], result: nothing }),
  },
  { errors: REPORT_ERRORS, cost: COSTS.session, argumentsRam: reportBufferBytes },
);
