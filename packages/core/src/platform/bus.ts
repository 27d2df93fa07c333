/**
 * A bus between nodes, as NATS has it without JetStream: messages go to subjects, and whoever
 * subscribes to a subject when one arrives gets it, at most once or not at all. Subjects are words
 * joined by dots; where one subscribes, `*` stands for one word and a last `>` for one or more. The
 * messages of one publisher keep their order while nothing goes wrong. (Source: the documentation
 * of NATS, "Core NATS" and "Subject-Based Messaging".)
 *
 * Nothing is promised: a user of the bus whose messages must arrive, once and in order, has to see
 * to that itself.
 */

/** The longest payload of a message: NATS's own default. */
export const BUS_PAYLOAD_BYTES_MAX = 1024 * 1024;

/**
 * A message as a subscriber gets it. The payload is valid until the handler returns; it may be part
 * of a larger buffer.
 */
export interface BusMessage {
  readonly subject: string;
  /** The subject where the sender expects an answer; empty if it expects none. */
  readonly reply: string;
  readonly payload: Uint8Array;
}

/** Something that the bus does not let this connection do. */
export interface BusDenial {
  readonly operation: 'publish' | 'subscribe';
  readonly subject: string;
}

/** A node's connection to a bus. */
export interface Bus {
  /** The longest payload of a message here. */
  readonly payloadBytesMax: number;
  /** Whether the node reaches the bus, as far as it knows. */
  readonly connected: boolean;
  /**
   * Sends a message. Throws RangeError if the payload is too long or the subject is malformed. The
   * payload must not change afterwards.
   */
  publish(subject: string, payload: Uint8Array, reply?: string): void;
  /**
   * Subscribes to a pattern; the result ends the subscription. Throws RangeError if `pattern` is
   * malformed.
   */
  subscribe(pattern: string, handler: (message: BusMessage) => void): () => void;
  /**
   * Calls `handler` when it has changed whether the node reaches the bus. A node learns of a change
   * only after a while.
   */
  onConnection(handler: (connected: boolean) => void): void;
  /** Calls `handler` when the bus has denied something. What was published so is lost. */
  onDenied(handler: (denial: BusDenial) => void): void;
  /** Ends every subscription of this connection, and the connection. */
  close(): void;
}

const WORD = /^[^\s.*>]+$/;

/** Whether a message can be sent to `subject`. */
export function isSubject(subject: string): boolean {
  return subject.split('.').every((word) => WORD.test(word));
}

/** Whether one can subscribe to `pattern`. */
export function isSubjectPattern(pattern: string): boolean {
  const words = pattern.split('.');
  return words.every((word, index) => {
    if (word === '>') return index === words.length - 1;
    return word === '*' || WORD.test(word);
  });
}

/** Whether a subscription to `pattern` gets what is sent to `subject`. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const words = subject.split('.');
  const rest = wanted.at(-1) === '>';
  if (rest ? words.length < wanted.length : words.length !== wanted.length) return false;
  const compared = rest ? wanted.slice(0, -1) : wanted;
  return compared.every((word, index) => word === '*' || word === words[index]);
}
