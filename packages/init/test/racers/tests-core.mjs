import { component } from '@ginit/core';
import { runComponent } from '@ginit/core/testing';

export default component(() => runComponent(component(() => {})));
