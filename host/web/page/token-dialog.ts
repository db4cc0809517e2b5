/** Asks for the token. It goes over the WebSocket, never into an address. */
import { faultText } from './actions.js';
import type { Connection } from './connection.js';
import { byId, setText } from './dom.js';

export class TokenDialog {
  readonly #connection: Connection;
  readonly #dialog = byId<HTMLDialogElement>('token-dialog');
  readonly #input = byId<HTMLInputElement>('token');
  readonly #wrong = byId('token-wrong');
  #answered: ((given: boolean) => void) | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
    byId('token-form').addEventListener('submit', event => {
      event.preventDefault();
      void this.#submit();
    });
    byId('token-cancel').addEventListener('click', () => this.#dialog.close());
    this.#dialog.addEventListener('close', () => {
      this.#input.value = '';
      setText(this.#wrong, '');
      this.#answered?.(false);
      this.#answered = undefined;
    });
  }

  /** Resolves with whether the right one was given. */
  ask(why: string): Promise<boolean> {
    const { state } = this.#connection;
    if (state.name === 'open' && state.unlocked) return Promise.resolve(true);
    this.#answered?.(false);
    setText(byId('token-why'), why);
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#input.focus();
    return new Promise(resolve => {
      this.#answered = resolve;
    });
  }

  async #submit(): Promise<void> {
    const token = this.#input.value.trim();
    if (token === '') return;
    setText(this.#wrong, '');
    try {
      await this.#connection.unlock(token);
      this.#answered?.(true);
      this.#answered = undefined;
      this.#dialog.close();
    } catch (error) {
      setText(this.#wrong, faultText(error));
      this.#input.select();
    }
  }
}
