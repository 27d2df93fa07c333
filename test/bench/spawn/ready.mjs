/** A component that says that it is there. An ordinary one, as small as can be. */
import { component } from '@ginit/core';

export default component((env) => env.log('ready'));
