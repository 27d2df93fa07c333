import { component } from '@ginit/core';
import { simulate } from '@ginit/init/testing';

export default component(() => simulate({ config: 'config.xml' }));
