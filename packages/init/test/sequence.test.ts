/** Tests what a sequence does next, and what the checks know of its steps. */
import { ConfigNode, readXml } from '@ginit/core/config';
import { describe, expect, it } from 'vitest';
import { startsOf } from '../src/check/index.ts';
import { heldBy, readInitConfig, readSequenceConfig } from '../src/model/index.ts';
import { nextStep } from '../src/sequence/next-step.ts';

const read = (content: string, attributes = '') =>
  readSequenceConfig(readXml(`<config ${attributes}>${content}</config>`, 's.xml'), { ram: 4096, caps: 7 });

describe('after a child', () => {
  const plain = { repeat: false, keepGoing: false, restart: false };
  it.each([
    ['the next one is started', plain, 0, 0, { index: 1 }],
    ['that was the last, the sequence is done', plain, 2, 0, { exit: 0 }],
    ['that was the last, it begins again with repeat', { ...plain, repeat: true }, 2, 0, { index: 0 }],
    ['that has failed, the sequence exits with its code', plain, 0, 42, { exit: 42 }],
    ['that has failed, repeat alone changes nothing', { ...plain, repeat: true }, 2, 3, { exit: 3 }],
    [
      'that has failed, the next one is started with keep_going',
      { ...plain, keepGoing: true },
      0,
      3,
      { index: 1 },
    ],
    [
      'that has failed as the last, the sequence is done with keep_going',
      { ...plain, keepGoing: true },
      2,
      3,
      { exit: 0 },
    ],
    ['that has failed, restart alone changes nothing', { ...plain, restart: true }, 0, 3, { exit: 3 }],
    [
      'that has failed, the first one is started with keep_going and restart',
      { ...plain, keepGoing: true, restart: true },
      1,
      3,
      { index: 0 },
    ],
    [
      'that has gone well, restart changes nothing',
      { ...plain, keepGoing: true, restart: true },
      1,
      0,
      { index: 2 },
    ],
    ['that is not named any more, the first one is started', plain, 1, undefined, { index: 0 }],
  ])('%s', (_, options, at, code, next) => {
    expect(nextStep(options, 3, at, code)).toEqual(next);
  });

  it('of which none is left, the sequence is done', () => {
    expect(nextStep(plain, 0, 0, undefined)).toEqual({ exit: 0 });
  });
});

describe('the config of a sequence', () => {
  it('is one step for each start node, whose quota is all that there is unless it says less', () => {
    const { steps, errors } = read('<start name="a"/> <start name="b" ram="2K" caps="3"/> <start name="a"/>');
    expect(errors).toEqual([]);
    expect(steps.map(({ starts }) => starts.map(({ name, ram, caps }) => [name, ram, caps]))).toEqual([
      [['a', 4096, 7]],
      [['b', 2048, 3]],
      [['a', 4096, 7]],
    ]);
  });

  it('leads all requests to the parent, whatever the service', () => {
    expect(read('<start name="a"/>').steps[0]).toMatchObject({
      everyParentService: true,
      defaultRoute: [{ service: undefined, targets: [{ kind: 'parent' }] }],
    });
  });

  it('has the mistakes of its start nodes, each once', () => {
    const { errors } = read(
      '<start/> <start name="a" rma="1"/> <start name="b"> <provides/> </start>',
      'again="yes"',
    );
    expect(errors.map(({ message }) => message)).toEqual([
      's.xml:1:9: unknown attribute "again" of <config>',
      's.xml:1:21: <start> needs an attribute "name"',
      's.xml:1:46: unknown attribute "rma" of <start> (did you mean "ram"?)',
      's.xml:1:73: unknown element <provides> in <start>',
    ]);
  });

  it('may be empty', () => {
    expect(readSequenceConfig(ConfigNode.empty('config'), { ram: 0, caps: 0 })).toMatchObject({
      steps: [],
      errors: [],
    });
  });
});

describe('checks', () => {
  const config = (starts: string) => readInitConfig(readXml(`<config>${starts}</config>`, 'x.xml')).config;

  it('see the start nodes of a sequence, and of an init in one of its steps', () => {
    const places = startsOf(
      config(`<start name="s"> <binary name="sequence"/> <config> <start name="a"/>
        <start name="b"> <binary name="init"/> <config> <start name="c"/> </config> </start> </config> </start>`),
    );
    expect(places.map(({ path, steps }) => [path, Object.fromEntries(steps)])).toEqual([
      ['s', {}],
      ['s -> a', { s: 0 }],
      ['s -> b', { s: 1 }],
      ['s -> b -> c', { s: 1 }],
    ]);
  });

  it('see nothing in the config of a component that holds no start nodes', () => {
    const [start] = config(
      '<start name="s"> <binary name="idle"/> <config> <start name="a"/> </config> </start>',
    ).starts;
    expect(start && heldBy(start)).toBeUndefined();
  });
});
