/** The state of a sandbox in words: the state report, and why a child waits. Pure. */
export { stateNode } from './render.ts';
export type { ChildReport, SandboxReport, SessionPhase, SessionStanding } from './state.ts';
export { phaseText } from './vocabulary.ts';
export { type MissingSession, shortPhrase, type WhyFacts, whyPhrase } from './why.ts';
