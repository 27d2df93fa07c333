/** The same server with a live event loop. */
import { component } from '@ginit/core';
import { serveBell } from './server.mjs';
import { Bell } from './session.mjs';

export default component({ provides: [Bell], loop: 'live' }, serveBell);
