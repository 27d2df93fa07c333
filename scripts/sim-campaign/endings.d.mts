/** The system of the campaign on endings: its config, its fault plan, and the options of every run. */
export const CONFIG: string;
export const PLAN: string;
export const OPTIONS: readonly string[];
