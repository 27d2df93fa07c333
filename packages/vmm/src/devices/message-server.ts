/** Whoever answers the messages of 9P that a guest sends, however they come. */

/** Answers messages. */
export interface MessageServer {
  /** The longest message that it takes. */
  readonly messageBytes: number;
  /** Rejects if it cannot go on; whatever a client does wrong is an answer. */
  answer(message: Uint8Array): Promise<Uint8Array>;
  /** Closes all that the guest has open. */
  close(): Promise<void>;
}

/** Bytes at the front of each message: its size, its type and its tag. */
export const MESSAGE_HEADER_BYTES = 7;
/** The answer to whatever a server that is lost can no longer answer: EIO. */
const ERROR_ANSWER = 7;
const INPUT_OUTPUT = 5;

/** The answer to a message whose server is lost. */
export function lostAnswer(message: Uint8Array): Uint8Array {
  const answer = new Uint8Array(MESSAGE_HEADER_BYTES + 4);
  const view = new DataView(answer.buffer);
  view.setUint32(0, answer.byteLength, true);
  view.setUint8(4, ERROR_ANSWER);
  answer.set(message.subarray(5, MESSAGE_HEADER_BYTES), 5);
  view.setUint32(MESSAGE_HEADER_BYTES, INPUT_OUTPUT, true);
  return answer;
}
