/** The parts of a component that serves files in memory, for `ram_fs`. */
export { CoarseClock } from './component/clock.ts';
export { MountBackend } from './component/mount-backend.ts';
export { FsError } from './errors.ts';
export { Budget, type BudgetAccount } from './tmpfs/account-budget.ts';
export { Tmpfs } from './tmpfs/tmpfs.ts';
export { Mount } from './vnode/mount.ts';
export type { Vnode } from './vnode/vnode.ts';
