/** The session by which components of two nodes call each other: as many bytes as raw NATS sends. */
import { bytes, rpc, session } from '@ginit/core';
import { SMALL_BYTES } from './traffic.mjs';

export const SmallEcho = session('SmallEcho', {
  echo: rpc({ args: [bytes(SMALL_BYTES)], result: bytes(SMALL_BYTES) }),
});
