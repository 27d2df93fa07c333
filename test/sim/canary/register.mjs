/**
 * Breaks the process that is started with `--import` of this file, threads included, by the canary
 * that GINIT_CANARY names. No code of ginit knows of this.
 */
import * as nodeModule from 'node:module';
import { broken } from './break.mjs';
import { CANARIES } from './canaries.mjs';

const name = process.env.GINIT_CANARY;
if (!Object.hasOwn(CANARIES, name ?? '')) throw new Error(`there is no canary "${name}"`);
if (nodeModule.registerHooks) {
  nodeModule.registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      return url.startsWith('file:') ? { ...loaded, source: broken(name, url, loaded.source) } : loaded;
    },
  });
} else {
  nodeModule.register('./hook.mjs', import.meta.url, { data: { name } });
}
