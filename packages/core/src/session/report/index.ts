/** The Report session: its declaration, a client and a server. */
export {
  Report,
  REPORT_BUFFER_BYTES_DEFAULT,
  REPORT_ERRORS,
  reportBufferBytes,
} from './declaration.ts';
export { Reporter, type ReporterOptions } from './reporter.ts';
export { type ReportReceiver, type ReportSessionContext, serveReport } from './serve-report.ts';
