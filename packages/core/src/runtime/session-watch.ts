/** Who may watch the sessions of a component: the simulator, which checks them. Other platforms have none. */
import type { SinkWatch, SourceWatch, StreamPlace } from '../packet-stream/index.ts';
import type { SessionArguments } from '../session/parent.ts';

/** A session as its client asked for it. */
export interface WatchedSession {
  readonly service: string;
  readonly label: string;
  readonly args: SessionArguments;
}

/** Told of the packet streams of one component. */
export interface SessionWatch {
  /** The component, as a client, has opened a stream whose source it is. */
  opened(session: WatchedSession, place: StreamPlace): SourceWatch | undefined;
  /** The component, as a server, has the sink of a stream. */
  served(service: string, place: StreamPlace): SinkWatch | undefined;
}
