/** The same client with a live event loop. */
import { measuringComponent } from '../harness/client.mjs';
import { measureEcho } from './echo-client.mjs';
import { Echo } from './session.mjs';

export default measuringComponent({ requires: [Echo], loop: 'live' }, measureEcho);
