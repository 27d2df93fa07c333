/** The session that ginit's contenders use, checked at both ends as every session is. */
import { boolean, integer, list, oneOf, record, rpc, session, text, u32, u53 } from '@ginit/core';

const message = record({
  id: u32,
  name: text(64),
  kind: oneOf(['read', 'write']),
  flags: integer(0, 255),
  urgent: boolean,
  position: u53,
  size: u32,
  values: list(u32, 16),
});

export const Echo = session('Echo', { echo: rpc({ args: [message], result: message }) });
