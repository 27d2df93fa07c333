/**
 * A use of the host by a component, as people are told of it: what was used, by which module, and
 * the grant that would allow it.
 */
import { oneOf, record, type ShapeType, text } from '../../interface/shapes.ts';

const WORDS_MAX = 8192;

export const hostUse = record({
  kind: oneOf(['file', 'directory', 'tcp-listen', 'tcp-connect', 'unix-listen', 'unix-connect', 'program']),
  access: oneOf(['ro', 'rw']),
  /** Path, or ADDRESS:PORT. */
  target: text(WORDS_MAX),
  /** File, line and column of the module that asked. */
  module: text(WORDS_MAX),
});
export type HostUse = ShapeType<typeof hostUse>;

/**
 * Characters that an attribute cannot hold as they are. A parser reads ends of lines and tabs as
 * blanks.
 */
const ESCAPED = /[&"<\t\n\r]/g;
const quoted = (value: string): string =>
  `"${value.replace(ESCAPED, (character) => `&#${character.charCodeAt(0)};`)}"`;

/** The line inside `<host>` that grants this use. */
export function grantLine({ kind, access, target }: Pick<HostUse, 'kind' | 'access' | 'target'>): string {
  switch (kind) {
    case 'file':
    case 'directory':
      return `<${kind} path=${quoted(target)} access="${access}"/>`;
    case 'tcp-listen':
      return `<tcp listen=${quoted(target)}/>`;
    case 'tcp-connect':
      return `<tcp connect=${quoted(target)}/>`;
    case 'unix-listen':
      return `<unix listen=${quoted(target)}/>`;
    case 'unix-connect':
      return `<unix connect=${quoted(target)}/>`;
    case 'program':
      return `<program path=${quoted(target)}/>`;
  }
}
