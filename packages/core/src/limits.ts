/**
 * Every bound on what a peer can fill, in one place. A peer that goes over a bound of the channel protocol
 * loses its channel; one that asks for too much gets `LimitExceeded`.
 */
export const LIMITS = {
  /** One message on a channel, its payload included (a ROM may travel in it when memory is not shared). */
  messageBytes: 16 * 1024 * 1024,
  /** Capabilities and dataspaces carried by one message. */
  capabilitiesPerMessage: 64,
  /** Calls of one peer that we are working on at a time. */
  callsInFlight: 1024,
  /** Calls that wait for a capability that is still being introduced. */
  callsOnUnresolved: 1024,
  /** Objects that one peer may hold of us. */
  exportsPerChannel: 65_536,
  /** Introductions under way on one channel. */
  introductionsPerChannel: 4096,
  /** Packet streams on one channel. */
  streamsPerChannel: 1024,
  /** Bytes of log text that wait for the log server before further lines are dropped (and counted). */
  logBacklogBytes: 1024 * 1024,
  /** One line of log text. */
  logLineBytes: 64 * 1024,
  /** Name of a service, an interface or an operation. */
  nameBytes: 64,
  /** Arguments of one session request, all together. */
  sessionArguments: 32,
  sessionArgumentBytes: 1024,
  /** Bulk buffer of one packet stream. */
  streamBytes: 64 * 1024 * 1024,
  /** Reason texts that cross a border. */
  reasonBytes: 1024,
} as const;
