/**
 * The system of the campaign: the storage example with a script in rounds. Each round makes files
 * of its own, adds a line to one that all rounds share, and ends with a SYNC; what rounds before
 * the last SYNC have made must be on the disk.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../setup.mjs';

const ROUNDS = 6;

/** More than three blocks of 1 KiB. */
const textOf = (round) => `This is the text of round ${round}. `.repeat(120).trimEnd();
const lineOf = (round) => `round ${round}; `;

/** The files that must be in the image after that number of SYNCs: by path, how each begins. */
export function filesAfter(syncs) {
  const files = new Map();
  const lines = Array.from({ length: syncs }, (_, index) => lineOf(index + 1));
  for (let round = 1; round <= syncs; round++) files.set(`/round-${round}/text`, textOf(round));
  if (syncs > 0) files.set('/log', lines.join(''));
  return files;
}

function script() {
  let text = '';
  for (let round = 1; round <= ROUNDS; round++) {
    const directory = `/round-${round}`;
    text += `<mkdir path="${directory}"/> <write path="${directory}/text">${textOf(round)}</write>
      <fill path="${directory}/big" size="${40 * round}K" seed="${round}"/> <append path="/log">${lineOf(round)}</append> <sync/>
      <verify path="${directory}/big" size="${40 * round}K" seed="${round}"/>`;
    if (round > 2) text += `<unlink path="/round-${round - 1}/big"/>`;
  }
  return text;
}

/** The config; every component is started again when it crashes. */
export function configText() {
  const example = readFileSync(join(root, 'examples', 'storage.xml'), 'utf8');
  return example
    .replace(' summary="yes"', '')
    .replace(/<config>\s*<ls[^]*?<\/config>/, () => `<config> ${script()} </config>`)
    .replaceAll(/<binary name="(?!fs_tool)\w+"\/>/g, '$& <restart max="100" period_s="1000"/>');
}

/** Crashes of whomever, and at times the disk loses its power, with sectors half written. */
export const PLAN = `<faults>
  <crash within="20000"/>
  <crash component="init -> cache" within="20000"/>
  <stall within="5000" ms="50" count="2"/>
  <power-cut within="5000" torn="yes"/>
</faults>
`;
