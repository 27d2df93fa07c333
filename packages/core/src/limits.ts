/**
 * Every bound on what a peer can fill, in one place. A peer that goes over a bound of the channel
 * protocol loses its channel; one that asks for too much gets `LimitExceeded`.
 */
export const LIMITS = {
  /**
   * One message on a channel, its payload included (a ROM may travel in it when memory is not
   * shared).
   */
  messageBytes: 16 * 1024 * 1024,
  /** One frame of a carrier: a message, its header and its table. */
  frameBytes: 16 * 1024 * 1024 + 64 * 1024,
  /**
   * Frames that wait in front of a full ring, and their bytes. A component that keeps to the bounds
   * of calls and answers below stays under these, however slowly the peer reads: 208 MiB of calls,
   * 320 MiB of answers, and 32 MiB of short ones of either kind.
   */
  ringWaitingFrames: 256 * 1024,
  ringWaitingBytes: 640 * 1024 * 1024,
  /**
   * Calls and answers of at least this length are counted by their bytes too. Shorter ones are
   * bounded by their number, which makes 32 MiB at most (`callsInFlight` of each kind).
   */
  countedMessageBytes: 2 * 1024,
  /**
   * Bytes of calls to one peer that are not answered yet. Beyond the first bound further calls
   * wait, unless the caller is serving somebody itself; beyond the second they are refused.
   */
  callBytesPipelined: 64 * 1024 * 1024,
  callBytesInFlight: 192 * 1024 * 1024,
  /**
   * Bytes of answers that wait for one peer to take them. In the place of a further answer the peer
   * gets `LimitExceeded`.
   */
  answerBytesWaiting: 320 * 1024 * 1024,
  /**
   * Descriptors of memory from peers in other processes that are kept for a component, so that it
   * may pass the memory on.
   */
  receivedDescriptors: 256,
  /**
   * Pieces of memory from other processes that a component has passed on within its process and
   * that the keeper remembers.
   */
  memoryLent: 1024,
  /**
   * Memory files that one peer has sent and nobody has taken yet. The kernel's sockets hold fewer.
   */
  memoryWaiting: 1024,
  /** Pieces of memory that the host reads or writes for one component at a time. */
  memoryPinned: 1023,
  /** Processes that one message tells of a revocation. */
  revocationTargets: 1024,
  /** Frames that reach a process before it knows their channel. */
  earlyRelayFrames: 4096,
  /**
   * The least bound of a component's heap. Measured on Node 20, 24 and 26: our runtime alone loads
   * with 10 MiB on each of them, not always with 8 MiB, and with 2 MiB V8 aborts the whole process.
   */
  heapBytesMin: 16 * 1024 * 1024,
  /** Host grants of one start node. They travel in one message. */
  hostGrants: 48,
  /** Host grants of all start nodes of the root config. */
  hostGrantsOfRoot: 16_384,
  /** Open files, directories, devices, sockets and programs of one driver. */
  hostObjects: 1024,
  /** Connections of one listening socket that nobody has accepted yet. */
  hostConnectionsWaiting: 128,
  /** Bytes that one read of a connection or program gives, and bytes that one write takes. */
  hostReadBytes: 64 * 1024,
  hostWriteBytes: 16 * 1024 * 1024,
  /** Entries of a directory of the host that one call lists. */
  hostDirectoryEntries: 65_536,
  /** Arguments and variables of a program, and the bytes of all of them. */
  hostProgramArguments: 1024,
  hostProgramArgumentBytes: 128 * 1024,
  /**
   * Operations on the host that run at a time in one process. libuv has at most this many threads.
   */
  hostDepth: 1024,
  /**
   * For a jailed process: files of code that it may read one by one, grants that it may use, and
   * descriptors that it may have.
   */
  jailFiles: 20_000,
  jailGrants: 256,
  jailDescriptors: 16_384,
  /** Uses of the host that an audit lists for one component. */
  auditUses: 1000,
  /** Lists and records inside each other in one message. */
  messageDepth: 64,
  /** Capabilities and dataspaces carried by one message. */
  capabilitiesPerMessage: 64,
  /**
   * Calls to one peer that are under way at a time. Further ones wait until one is answered, unless
   * the caller is serving somebody itself: what it serves may be what the answers wait for.
   */
  callsPipelined: 1024,
  /** Calls to one peer that wait for their turn because of `callsPipelined`. */
  callsWaiting: 65_536,
  /**
   * Calls of one peer that a component is working on. A recursion through two components ends here.
   */
  callsInFlight: 16_384,
  /**
   * Frames of one peer, and their bytes, that are put aside while the thread waits in a synchronous
   * call: 192 MiB of calls, the one call that exceeds that (16 MiB at most), 32 MiB of short calls
   * and 32 MiB of short answers make 272 MiB.
   */
  deferredFrames: 65_536,
  deferredBytes: 288 * 1024 * 1024,
  /**
   * Bytes of one peer's long answers to other calls that are taken while the thread waits in a
   * synchronous call, because nobody can use them meanwhile. In the place of a further answer there
   * is `LimitExceeded`.
   */
  answerBytesAside: 128 * 1024 * 1024,
  /**
   * A datagram between two nodes, and the shortest bound of one that a node may ask for. NATS's own
   * bound is 1 MiB.
   */
  busDatagramBytes: 256 * 1024,
  busDatagramBytesMin: 16 * 1024,
  /** Datagrams of a link that the other end has not acknowledged, and their bytes. */
  busWindowDatagrams: 1024,
  busWindowBytes: 4 * 1024 * 1024,
  /** Bytes of one channel that its reader on another node has not taken. */
  busChannelWindowBytes: 1024 * 1024,
  /** Channels that each end of a link has opened. */
  busChannels: 16_384,
  /** The text by which the opener of a channel says what it is for. */
  busTicketBytes: 1024,
  /** What a node says about itself. */
  busAboutBytes: 1024,
  /** The lease of a link between two nodes: what is usual, and what another node may ask for. */
  busLeaseMs: 10_000,
  busLeaseMsMin: 500,
  busLeaseMsMax: 600_000,
  /**
   * Bytes from the bus that wait for a process of this machine, before the channel whose frames
   * they are ends.
   */
  busRelayBytes: 64 * 1024 * 1024,
  /** Labels of a node, and labels that a start node asks for. */
  nodeLabels: 64,
  /** Nodes that one node has links to, or tries to. */
  busPeers: 4096,
  /** Handshakes of one peer that are under way to a node. */
  busHandshakes: 4,
  /**
   * Signatures on the bus that a node looks at in a second: in one name, and in all names that it
   * has no business with.
   */
  busSignaturesPerName: 8,
  busSignaturesOfStrangers: 64,
  /** Calls that wait for a capability that is still being introduced. */
  callsOnUnresolved: 1024,
  /**
   * Objects that a component may pass beyond those that its quota could pay for when the supervisor
   * was last told.
   */
  objectsOverdrawn: 64,
  /** Objects of a component that one peer may hold. */
  exportsPerChannel: 65_536,
  /**
   * Of those, objects that are gone. A peer gives back an object when it is told that it is gone.
   */
  dissolvedPerChannel: 4096,
  /** Objects of one peer that a component may hold, and signals under way to that peer. */
  importsPerChannel: 65_536,
  /**
   * Introductions of one owner's objects that a component has asked the supervisor for, or is about
   * to.
   */
  introductionsAsked: 2048,
  /**
   * Of those, introductions that the supervisor works on at a time: an owner that does not answer
   * must not use up a component's calls to the supervisor.
   */
  introductionsAtCore: 16,
  /**
   * Introductions under way to a component: of one owner's objects by one giver, and by one giver
   * in all.
   */
  introductionsPerPair: 4096,
  introductionsPerGiver: 65_536,
  /** Introductions by a component that wait for the channel to their receiver. */
  introductionsPerChannel: 4096,
  /** Peers whose channel has ended that a component remembers. */
  endedPeers: 4096,
  /** Packet streams of one session, and on one channel. */
  streamsPerSession: 16,
  streamsPerChannel: 1024,
  /** Frames of one stream that wait for its end to be taken into use. */
  earlyStreamFrames: 16,
  /**
   * Allocations of RAM and capabilities that one account has in use. Each has a number of its own.
   */
  allocationsPerAccount: 262_144,
  /**
   * Characters of log text that wait for the log server before further lines are dropped (and
   * counted).
   */
  logBacklogCharacters: 4 * 1024 * 1024,
  /** Obligations of one component that are not met yet. */
  obligations: 1024,
  /**
   * Characters of one LOG session that wait for the host's output. An honest client has a few lines
   * under way.
   */
  logSessionCharacters: 8 * 1024 * 1024,
  /** Characters that each waiting call of a LOG session counts for, beside those of its text. */
  logCallCharacters: 256,
  /** One line of log text. */
  logLineCharacters: 64 * 1024,
  /** Name of a service, an interface or an operation. */
  nameBytes: 64,
  /** Operations that two ends of a session compare, and the longest name of one. */
  operationsCompared: 256,
  operationNameBytes: 256,
  /** Arguments of one session request, all together. */
  sessionArguments: 32,
  sessionArgumentBytes: 1024,
  /** Requests of one child, to open or to upgrade sessions, that its init works on at a time. */
  sessionRequestsPerClient: 2048,
  /**
   * Such requests of all children to services of init's own parent: half of the calls that it may
   * have under way there. The other half is for closing sessions and moving quota, which must not
   * fail.
   */
  sessionRequestsAtParent: 8192,
  /** Sessions that an init closes at its parent at a time. Further ones wait for their turn. */
  sessionClosingsAtParent: 2048,
  /** Notices of sessions that a parent tells a client at a time, and those that it keeps for it. */
  sessionNotices: 1024,
  sessionNoticesKept: 16_384,
  /** The largest report; a config is not larger either. */
  reportBytes: 4 * 1024 * 1024,
  /** The buffer of one direction of a terminal, and the output that is kept for later. */
  terminalBufferBytes: 1024 * 1024,
  terminalScrollBackBytes: 16 * 1024 * 1024,
  /** People who look at one terminal at a time. */
  terminalWatchers: 16,
  /** Pixels on one side of a screen. */
  framebufferSide: 4096,
  /** Events of keyboard and mouse that wait for one client. */
  inputEvents: 4096,
  /** The buffer of one trace: the least that works, and the largest. */
  traceBufferBytesMin: 4096,
  traceBufferBytesMax: 64 * 1024 * 1024,
  /** The content of one event of a trace. */
  traceEventBytes: 1024,
  /** The text of one trace policy. */
  tracePolicyCharacters: 64 * 1024,
  /** Policies of one TRACE session, and subjects that one answer tells of. */
  tracePolicies: 64,
  traceSubjects: 4096,
  /** Events in one message, where a traced component shares no memory with its tracer. */
  traceAppendBytes: 256 * 1024,
  /** Things that are wanted of one virtual machine and are not done yet. */
  machineWishes: 16,
  /** Words that say more about such a thing, the characters of each, and the bytes of an answer. */
  machineWords: 8,
  machineWordCharacters: 4096,
  machineContentBytes: 12 * 1024 * 1024,
  /** Bulk buffer of one packet stream. */
  streamBytes: 64 * 1024 * 1024,
  /** Children, and sessions of all of them, of which one overview tells; the rest is left out. */
  overviewChildren: 4096,
  overviewSessions: 16_384,
  /** A config of which a component is asked what it would change. */
  planBytes: 8 * 1024 * 1024,
  /** A text that gives a reason to another component. */
  reasonBytes: 1024,
} as const;
