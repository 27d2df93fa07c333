/**
 * Screens whose pictures are written to files, and keyboards that type what the config says. One
 * thing is done after the other: the steps of the config in the order of their numbers, each once,
 * and pictures whose time has come.
 */
import {
  type Env,
  type Implementation,
  type Label,
  requiredPolicy,
  RpcError,
  type SessionContext,
} from '@ginit/core';
import { attribute, type ConfigOf, element, policyElements } from '@ginit/core/config';
import { FileSystemClient } from '@ginit/core/file_system';
import { type Framebuffer, ServedFramebuffer } from '@ginit/core/framebuffer';
import {
  chordOfCombination,
  chordsOfText,
  eventsOfChord,
  type Input,
  type InputEvent,
  keyCode,
  ServedInput,
} from '@ginit/core/input';
import { encodePng } from '../lib/png.ts';

const BUTTONS = ['left', 'middle', 'right'] as const;
/** The time that a client has for each key. */
const KEY_MS = 8;

const STEP = element('step', 'Something that is done once, when all steps with smaller numbers are done', {
  attributes: {
    number: attribute.integer('Its place in the order of the steps', { required: true, min: 1 }),
    label: attribute.label('The session that is meant; all that are there unless told'),
    type: attribute.text('A text is typed, as on a US keyboard'),
    key: attribute.text('Keys are pressed together: enter, f1, ctrl-alt-delete and the like'),
    click: attribute.oneOf('A button of the mouse is pressed and released', BUTTONS),
    x: attribute.integer('The pointer goes to this column first', { min: 0 }),
    y: attribute.integer('The pointer goes to this line first', { min: 0 }),
    picture: attribute.text('The picture is written to this file'),
    wait: attribute.integer('So many milliseconds pass before', { min: 0 }),
  },
});

/** The config of `framebuffer_png`. */
export const FRAMEBUFFER_PNG_CONFIG = element(
  'config',
  'Which screens there are, and what is done with them',
  {
    children: [
      ...policyElements({
        file: attribute.text('File of the picture, in the File_system session "pictures"', {
          required: true,
        }),
        interval: attribute.integer(
          'Milliseconds after which a picture that has changed is written; 0 if only steps do that',
          { fallback: 1000, min: 0 },
        ),
      }),
      STEP,
    ],
  },
);

type Step = ConfigOf<typeof STEP>;
type ScreensEnv = Pick<Env, 'config' | 'connect' | 'close' | 'ram' | 'timer' | 'warning'>;

/** A screen of a client. */
interface OpenScreen {
  readonly label: string;
  readonly screen: ServedFramebuffer;
  readonly file: string;
  /** Whether something was drawn that is not in the file. */
  isChanged: boolean;
  /** Whether its time has come. */
  isDue: boolean;
}

/** The screens and keyboards that are open. */
export class PictureScreens {
  readonly #env: ScreensEnv;
  readonly #screens = new Set<OpenScreen>();
  readonly #inputs = new Map<ServedInput, string>();
  #lastStep = 0;
  #working: Promise<void> | undefined;
  #isToLookAgain = false;
  #files: Promise<FileSystemClient> | undefined;

  constructor(env: ScreensEnv) {
    this.#env = env;
  }

  /** Answers a session request. Throws `SessionError`. */
  async openScreen(session: SessionContext<typeof Framebuffer>): Promise<Implementation<typeof Framebuffer>> {
    const { file, interval } = this.#policy(session.label);
    let cancel: () => void = () => {};
    const screen = await ServedFramebuffer.open(this.#env, session, {
      refreshed: () => {
        open.isChanged = true;
      },
      closed: async () => {
        cancel();
        // The last picture stays.
        open.isDue = true;
        await this.work();
        this.#screens.delete(open);
      },
    });
    const open: OpenScreen = { label: session.label.text, screen, file, isChanged: false, isDue: false };
    this.#screens.add(open);
    if (interval > 0) {
      cancel = this.#env.timer.every(interval, () => {
        open.isDue = true;
        void this.work();
      });
    }
    void this.work();
    return screen.session;
  }

  /** Answers a session request. Throws `SessionError`. */
  async openInput(session: SessionContext<typeof Input>): Promise<Implementation<typeof Input>> {
    this.#policy(session.label);
    const input = await ServedInput.open(this.#env, session, () => void this.#inputs.delete(input));
    this.#inputs.set(input, session.label.text);
    void this.work();
    return input.session;
  }

  /** Does all that is to be done now. */
  work(): Promise<void> {
    this.#isToLookAgain = true;
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
    return this.#working;
  }

  async #work(): Promise<void> {
    // Whoever has called has to have the promise first.
    await Promise.resolve();
    while (this.#isToLookAgain) {
      this.#isToLookAgain = false;
      for (let step = this.#nextStep(); step; step = this.#nextStep()) {
        this.#lastStep = step.number;
        await this.#guarded(`step ${step.number}`, () => this.#perform(step));
      }
      for (const open of this.#screens) {
        if (open.isDue && open.isChanged) await this.#guarded(`"${open.file}"`, () => this.#write(open));
        open.isDue = false;
      }
    }
  }

  /** Failures are told; they stop nothing else. */
  async #guarded(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      await this.#env.warning(`${what} is not done: ${error.message}`);
    }
  }

  #policy(label: Label) {
    return requiredPolicy(this.#env.config.read(FRAMEBUFFER_PNG_CONFIG), label);
  }

  /** The step that comes next, if whatever it needs is there. */
  #nextStep(): Step | undefined {
    const { step: steps } = this.#env.config.read(FRAMEBUFFER_PNG_CONFIG).$children;
    const left = steps.filter(({ number }) => number > this.#lastStep);
    const next = left.toSorted((one, other) => one.number - other.number)[0];
    if (!next) return undefined;
    const isReady = next.picture === undefined ? this.#inputsOf(next).length : this.#screensOf(next).length;
    return isReady > 0 ? next : undefined;
  }

  #inputsOf({ label }: Step): readonly ServedInput[] {
    return [...this.#inputs].flatMap(([input, of]) => (label === undefined || label === of ? [input] : []));
  }

  #screensOf({ label }: Step): readonly OpenScreen[] {
    return [...this.#screens].filter((screen) => label === undefined || label === screen.label);
  }

  async #perform(step: Step): Promise<void> {
    const { type, key, click, x, y, picture, wait } = step;
    if (wait !== undefined) await this.#env.timer.sleep(wait);
    if (x !== undefined || y !== undefined) this.#submit(step, [{ kind: 'position', x: x ?? 0, y: y ?? 0 }]);
    const chords = [
      ...(type === undefined ? [] : chordsOfText(type)),
      ...(key === undefined ? [] : [chordOfCombination(key)]),
      ...(click === undefined ? [] : [[keyCode(`btn_${click}`)]]),
    ];
    for (const chord of chords) {
      this.#submit(step, eventsOfChord(chord));
      await this.#env.timer.sleep(KEY_MS);
    }
    if (picture === undefined) return;
    for (const { screen } of this.#screensOf(step)) await this.#save(screen, picture);
  }

  #submit(step: Step, events: readonly InputEvent[]): void {
    for (const input of this.#inputsOf(step)) for (const event of events) input.submit(event);
  }

  async #write(open: OpenScreen): Promise<void> {
    open.isChanged = false;
    await this.#save(open.screen, open.file);
  }

  /** Whoever reads the file finds a whole picture, the one before or the new one. */
  async #save(screen: ServedFramebuffer, file: string): Promise<void> {
    const png = encodePng(screen.picture());
    this.#files ??= FileSystemClient.connect(this.#env, { label: 'pictures', writeable: true });
    const files = await this.#files.catch((error: unknown) => {
      this.#files = undefined;
      throw error;
    });
    const unfinished = `${file}.new`;
    await files.writeFile(unfinished, png);
    await files.rename(unfinished, file);
  }
}
