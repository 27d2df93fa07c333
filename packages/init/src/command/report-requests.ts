/** The requests that look at the reports of a running system. */
import { record, text } from '@ginit/core';
import type { Supervisor } from '@ginit/core/supervisor';
import { splitLabel } from '@ginit/core/system';
import { CONTROL_LIMITS, ControlError, type ControlHandlers, meantBy } from './control/index.ts';

const reportArguments = record({ label: text(CONTROL_LIMITS.labelCharacters) });

/**
 * Bytes of one report, and of all together, that are told to somebody who asks for all of them
 * again and again. Of a larger one only the label is told.
 */
const LISTED_BYTES = 64 * 1024;
const LISTED_BYTES_IN_ALL = 4 * 1024 * 1024;

/** Answers them. */
export function reportRequests(supervisor: Pick<Supervisor, 'reports'>): ControlHandlers {
  return {
    report: (args) => {
      const { label: wanted } = reportArguments(args, 'with');
      const labels = supervisor.reports.map(({ label }) => label);
      const exact = meantBy(wanted, labels);
      // Without a report of that name, all reports of the component that is called so.
      const of = meantBy(wanted, [...new Set(labels.map((label) => splitLabel(label).prefix))]);
      const found = supervisor.reports.filter(
        ({ label }) => label === exact || (exact === undefined && splitLabel(label).prefix === of),
      );
      if (found.length === 0) throw new ControlError('NOT_FOUND', noReport(wanted, labels));
      return {
        reports: found.map(({ label, content }) => ({ label, content: new TextDecoder().decode(content) })),
      };
    },
    reports: () => {
      let leftBytes = LISTED_BYTES_IN_ALL;
      const reports = supervisor.reports.map(({ label, content }) => {
        if (content.byteLength > Math.min(LISTED_BYTES, leftBytes)) return { label };
        leftBytes -= content.byteLength;
        return { label, content: new TextDecoder().decode(content) };
      });
      return { reports };
    },
  };
}

function noReport(wanted: string, labels: readonly string[]): string {
  const known = labels.length === 0 ? 'none was routed to ginit' : `there are ${labels.join(', ')}`;
  return `there is no report "${wanted}" (${known})`;
}
