/** The same client with a live event loop. */
import { measuringComponent } from '../harness/client.mjs';
import { measureBell } from './client.mjs';
import { Bell } from './session.mjs';

export default measuringComponent({ requires: [Bell], loop: 'live' }, measureBell);
