const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** A text as the content of an element. */
export function escapedText(text: string): string {
  // A reader turns CR into LF, so a CR that is meant goes out as a number.
  return carried(text).replace(/[&<>\r]/g, (character) => ENTITIES[character] ?? numeric(character));
}

/** A text as the value of an attribute, within double quotes. */
export function escapedAttribute(text: string): string {
  // A reader turns line feeds and tabs in attributes into spaces.
  return carried(text).replace(/[&<>"\r\n\t]/g, (character) => ENTITIES[character] ?? numeric(character));
}

function numeric(character: string): string {
  return `&#${character.charCodeAt(0)};`;
}

/** Replaces the characters that XML 1.0 has no way to write. */
function carried(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd');
}
