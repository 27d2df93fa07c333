/**
 * Why a child is incomplete, stuck or waiting, in one phrase. Genode's init has nothing of the
 * kind: there one reads the states of all sessions and guesses.
 */
import { formatBytes, quotedList } from '@ginit/core/config';
import type { Resources } from '@ginit/core/system';

/** A session that a child has asked for and does not have. */
export interface MissingSession {
  readonly service: string;
  /** The label that the child has given it itself; empty for one of its environment. */
  readonly label: string;
  /** Whether it was to take the place of a session that the child had and has lost. */
  readonly lost?: true;
  readonly reason: /** The words of a denial by a route. */
    | { readonly kind: 'no route'; readonly phrase: string }
    /** The request is at its server; `undefined` is the parent. */
    | { readonly kind: 'waiting'; readonly server: string | undefined }
    | { readonly kind: 'denied'; readonly server: string | undefined; readonly text: string };
}

/** What is known of a child. */
export interface WhyFacts {
  readonly missing: readonly MissingSession[];
  /** The quota that it has asked for and not been given. */
  readonly wanted: Resources;
  readonly heartbeat: {
    readonly skipped: number;
    /** 0: it is never restarted. */
    readonly restartAfterSkipped: number;
    readonly rateMs: number;
  };
}

/** The phrase, of the first thing that keeps the child; `undefined` if nothing does. */
export function whyPhrase({ missing, wanted, heartbeat }: WhyFacts): string | undefined {
  const order = ['no route', 'denied', 'waiting'] as const;
  for (const kind of order) {
    const first = missing.find(({ reason }) => reason.kind === kind);
    if (first) return missingPhrase(first);
  }
  return shortPhrase(wanted) ?? heartbeatPhrase(heartbeat);
}

function missingPhrase({ reason }: MissingSession): string {
  switch (reason.kind) {
    case 'no route':
      return reason.phrase;
    case 'denied':
      return `denied by ${serverText(reason.server)} (${reason.text})`;
    case 'waiting':
      return `waiting for ${serverText(reason.server)} to answer`;
  }
}

function serverText(server: string | undefined): string {
  return server === undefined ? 'the parent' : quotedList([server]);
}

/**
 * The quota that is missing: of a request, or for a child that could not be made. Bytes are rounded
 * up to K.
 */
export function shortPhrase({ ram, caps }: Resources): string | undefined {
  const parts = [
    ram > 0 ? `RAM ${formatBytes(Math.ceil(ram / 1024) * 1024)}` : '',
    caps > 0 ? `${caps} caps` : '',
  ];
  const text = parts.filter((part) => part !== '').join(' and ');
  return text === '' ? undefined : `${text} short`;
}

function heartbeatPhrase({
  skipped,
  restartAfterSkipped,
  rateMs,
}: WhyFacts['heartbeat']): string | undefined {
  if (skipped === 0) return undefined;
  const missed = `heartbeat missed ${skipped} ${skipped === 1 ? 'time' : 'times'}`;
  if (restartAfterSkipped === 0) return missed;
  const beatsLeft = Math.max(0, restartAfterSkipped + 1 - skipped);
  return `${missed}, restart in ${(beatsLeft * rateMs) / 1000} s`;
}
