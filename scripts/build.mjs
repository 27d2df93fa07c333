// Compiles everything, tests included, and bundles the packages. Types are checked on the way.
import { bundlePackages, compile } from './setup.mjs';

compile([]);
await bundlePackages();
