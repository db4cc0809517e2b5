/** The backlog of the uplink, and what may be done about it. */
import type { UplinkAnswer } from '../../../control/calls.js';
import { durationText } from '../../../texts.js';
import { actionButton } from '../actions.js';
import { backlogOf, uplinkCondition, uplinkText } from '../condition.js';
import { el, fill, setText, show } from '../dom.js';
import { countText, plural } from '../format.js';
import { Facts, panel, tag } from '../parts.js';
import { TimePlot } from '../plot.js';
import { Cleanup, type Context, type View } from '../view.js';

const ASK_MS = 10_000;

export class UplinkView implements View {
  readonly title = 'Uplink';
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #cleanup = new Cleanup();
  readonly #tag = el('span');
  readonly #text = el('p', { class: 'muted' });
  readonly #fault = el('p', { class: 'bad-text' });
  readonly #plot = new TimePlot({
    title: 'Backlog',
    text: value => plural(Math.round(value), 'reading'),
    fromZero: true,
  });
  readonly #facts = new Facts();
  readonly #buttons: Readonly<Record<'drain' | 'pause' | 'resume', HTMLButtonElement>>;
  #points: readonly (readonly [at: number, backlog: number])[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #gone = false;

  constructor(context: Context) {
    this.#context = context;
    const done = (text: string) => (answer: UplinkAnswer) =>
      context.notice(
        answer.drained ? `${text}: drained` : `${text}: backlog of ${countText(answer.backlog)}`,
      );
    this.#buttons = {
      drain: actionButton(context, 'Publish now', 'drain', {}, done('Publishing')),
      pause: actionButton(context, 'Pause', 'pause', {}, done('Paused')),
      resume: actionButton(context, 'Resume', 'resume', {}, done('Publishing again')),
    };
    this.element = el(
      'div',
      {},
      el(
        'div',
        { class: 'head' },
        el('h1', {}, 'Uplink'),
        this.#tag,
        this.#text,
        el('span', { class: 'fill' }),
        ...Object.values(this.#buttons),
      ),
      this.#fault,
      this.#plot.element,
      panel('The broker', this.#facts.element),
    );
    this.#cleanup.add(
      context.fleet.listen(() => this.#draw()),
      () => this.#plot.destroy(),
      () => clearTimeout(this.#timer),
    );
    this.#draw();
    void this.#ask();
  }

  destroy(): void {
    this.#gone = true;
    this.#cleanup.run();
  }

  async #ask(): Promise<void> {
    try {
      const { points } = await this.#context.connection.call('backlog', {});
      this.#points = points;
      this.#drawPlot();
    } catch {
      // There is no connection: the next time.
    }
    if (!this.#gone) this.#timer = setTimeout(() => void this.#ask(), ASK_MS);
  }

  #draw(): void {
    const { status } = this.#context.fleet;
    if (status === undefined) return;
    const condition = uplinkCondition(status);
    if (this.#tag.textContent !== condition.word) fill(this.#tag, tag(condition));
    setText(this.#text, uplinkText(status));
    const { uplink } = status;
    setText(this.#fault, uplink?.fault ?? '');
    show(this.#fault, uplink?.fault !== undefined);
    const { drain, pause, resume } = this.#buttons;
    show(drain, uplink !== undefined && !uplink.drained && !uplink.paused);
    show(pause, uplink !== undefined && !uplink.paused);
    show(resume, uplink?.paused === true);
    this.#drawPlot();
    if (uplink === undefined) return;
    const { fetch } = uplink;
    this.#facts.set([
      ['Broker', uplink.broker],
      ['State', uplink.state],
      ['Published since the start', countText(uplink.published)],
      ['Rate', `${countText(Math.round(uplink.ratePerSecond))} a second`],
      [
        'Drained in',
        uplink.drainedInSeconds === undefined ? '' : durationText(uplink.drainedInSeconds * 1000),
      ],
      ['In flight', `${countText(uplink.inFlight)} of ${countText(uplink.window)}`],
      ['Published up to', `offset ${uplink.cursor}`],
      ['Journal holds up to', `offset ${uplink.head}`],
      ['Asked for again', fetch === undefined ? '' : plural(fetch.requests, 'request')],
      ['Sent again', fetch === undefined ? '' : plural(fetch.sent, 'reading')],
    ]);
  }

  /** What was told, and behind it how it is now. */
  #drawPlot(): void {
    const { status } = this.#context.fleet;
    if (status === undefined) return;
    const points = [...this.#points, [status.clock.at, backlogOf(status)] as const];
    this.#plot.set(
      points.map(([at]) => at / 1000),
      points.map(([, backlog]) => backlog),
    );
  }
}
