/**
 * Grants as they are shown to people: what a component uses is its own choice, and so are the
 * characters in it.
 */
import { expect, test } from 'vitest';
import { grantLine } from '../src/platform/wire/host-use.ts';

test('the line of a grant is one line and means exactly what was used, whatever characters its path has', () => {
  const target = '/a\n"/>\t<device path="/b&c"/>\r';
  const line = grantLine({ kind: 'file', access: 'ro', target });
  expect(line).not.toMatch(/[\n\r\t]/);
  const [, quoted = ''] = /^<file path="([^"<]*)" access="ro"\/>$/.exec(line) ?? [];
  expect(quoted.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))).toBe(target);
});
