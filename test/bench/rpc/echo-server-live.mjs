/** The same server with a live event loop, as a component with host I/O has it. */
import { component } from '@ginit/core';
import { serveEcho } from './echo-server.mjs';
import { Echo } from './session.mjs';

export default component({ provides: [Echo], loop: 'live' }, serveEcho);
