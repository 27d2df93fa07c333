import { isRecord } from '../../interface/shapes.ts';

/** The operating system, architecture and C library of this machine, as in `linux-x64-glibc`. */
export function ownPlatform(): string {
  const report: unknown = process.platform === 'linux' ? process.report.getReport() : undefined;
  const header = isRecord(report) ? report['header'] : undefined;
  const glibc = isRecord(header) && header['glibcVersionRuntime'] !== undefined;
  const library = process.platform === 'linux' ? [glibc ? 'glibc' : 'musl'] : [];
  return [process.platform, process.arch, ...library].join('-');
}
