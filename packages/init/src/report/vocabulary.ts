/**
 * The two vocabularies of the state report. Up to its release 24.08 Genode's init called the
 * service of a session `service`, and the states of sessions as in the first column here; its
 * release 26.04 calls the service `name`, and the states as in the second.
 */
import type { ReportVocabulary } from '../model/index.ts';
import type { SessionPhase } from './state.ts';

const PHASES: Readonly<Record<SessionPhase, Readonly<Record<ReportVocabulary, string>>>> = {
  requested: { '24.08': 'CREATE_REQUESTED', '26.04': 'CREATING' },
  denied: { '24.08': 'SERVICE_DENIED', '26.04': 'DENIED' },
  'short-of-ram': { '24.08': 'INSUFFICIENT_RAM_QUOTA', '26.04': 'INSUFFICIENT_RAM' },
  'short-of-caps': { '24.08': 'INSUFFICIENT_CAP_QUOTA', '26.04': 'INSUFFICIENT_CAP' },
  available: { '24.08': 'AVAILABLE', '26.04': 'AVAIL' },
  open: { '24.08': 'CAP_HANDED_OUT', '26.04': 'OK' },
  upgrading: { '24.08': 'UPGRADE_REQUESTED', '26.04': 'UPGRADING' },
  closing: { '24.08': 'CLOSE_REQUESTED', '26.04': 'CLOSING' },
  closed: { '24.08': 'CLOSED', '26.04': 'CLOSED' },
};

/** The name of a session's state. */
export function phaseText(phase: SessionPhase, vocabulary: ReportVocabulary): string {
  return PHASES[phase][vocabulary];
}
