/**
 * Watching the sessions of a component: the simulator does it to check them. Other platforms do
 * not.
 */
import type { SinkWatch, SourceWatch, StreamPlace } from '../packet-stream/index.ts';
import type { SessionArguments } from '../session/parent.ts';

/** A session as its client asked for it. */
export interface WatchedSession {
  readonly service: string;
  readonly label: string;
  readonly args: SessionArguments;
}

/** Is told of the packet streams of one component. */
export interface SessionWatch {
  /** The component, as a client, has opened a stream of which it is the source. */
  opened(session: WatchedSession, place: StreamPlace): SourceWatch | undefined;
  /** The component, as a server, has the sink of a stream. */
  served(service: string, place: StreamPlace): SinkWatch | undefined;
}
