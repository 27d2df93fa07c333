/** One session of a client as its parent has it, and how it looks from outside. */
import type { Resources, LedgerSession, SessionArguments, SessionOverview } from '@ginit/core/system';
import { type Deferred, quietDeferred } from '@ginit/core/async';
import type { RoutedSession } from '../plan/index.ts';
import { type MissingSession, phaseText, type SessionPhase, type SessionStanding } from '../report/index.ts';
import { NOTHING } from './amounts.ts';
import type { ServedSession } from './session-server.ts';

/** A request of the child. */
export interface ClientRequest {
  readonly id: number;
  readonly service: string;
  readonly args: SessionArguments;
  readonly donation: Resources;
  /** Whether the client is told when the server of the session goes, and asks for another then. */
  readonly reattach: boolean;
}

/** One session of a client, from the request to the end. */
export interface ClientSession {
  readonly service: string;
  readonly request: ClientRequest;
  serverName: string | undefined;
  asked: RoutedSession | undefined;
  /** What it was before its server refused it. */
  refusedAs: RoutedSession | undefined;
  readonly givenUp: AbortController;
  /** The session at its server, or `undefined` if there will be none. */
  readonly opened: Deferred<ServedSession | undefined>;
  served: ServedSession | undefined;
  forgetServer: () => void;
  /**
   * Settles when the upgrades under way are done. Only then it is known how much quota the server
   * was given.
   */
  upgraded: Promise<void>;
  /** The number of upgrades under way. */
  upgrading: number;
  /** The end of the session, once that has begun. */
  ending: { readonly closed: Promise<void>; readonly kept: Promise<Resources> } | undefined;
}

/** A session that nobody has answered yet. */
export function requestedSession(request: ClientRequest): ClientSession {
  return {
    service: request.service,
    request,
    serverName: undefined,
    asked: undefined,
    refusedAs: undefined,
    givenUp: new AbortController(),
    opened: quietDeferred(),
    served: undefined,
    forgetServer: () => {},
    upgraded: Promise.resolve(),
    upgrading: 0,
    ending: undefined,
  };
}

/** The session for people and managers. */
export function standingOf(session: ClientSession): SessionStanding {
  const { service, asked, served, request } = session;
  return {
    service,
    label: asked?.label ?? '',
    phase: phaseOf(session),
    donation: served?.donation ?? request.donation,
    args: request.args,
  };
}

/** The session for people; the label is the one that its server sees. */
export function overviewOf(session: ClientSession): SessionOverview {
  const { service, asked, serverName } = session;
  const label = asked && 'label' in asked.to ? asked.to.label : '';
  return { service, label, server: serverName, state: phaseText(phaseOf(session), '26.04') };
}

/** The session in the books; one that is not open yet has no donation. */
export function ledgerOf({ request, service, serverName, served, ending }: ClientSession): LedgerSession {
  const donation = served?.donation ?? NOTHING;
  return { id: request.id, service, server: serverName, donation, closing: ending !== undefined };
}

/** What keeps the client waiting, if its server has not answered yet. */
export function waitingOf({ service, served, ending, asked, serverName }: ClientSession): MissingSession[] {
  if (served || ending || !asked) return [];
  return [{ service, label: asked.label, reason: { kind: 'waiting', server: serverName } }];
}

function phaseOf({ served, ending, upgrading }: ClientSession): SessionPhase {
  if (ending) return 'closing';
  if (!served) return 'requested';
  return upgrading > 0 ? 'upgrading' : 'open';
}
