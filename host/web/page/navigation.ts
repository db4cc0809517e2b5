/** The way between the views. */
import { el, icon, setText, show } from './dom.js';
import { countText } from './format.js';

const VIEWS = [
  { href: '#/fleet', text: 'Fleet', path: 'M4 5h7v6H4zM13 5h7v6h-7zM4 13h7v6H4zM13 13h7v6h-7z' },
  { href: '#/uplink', text: 'Uplink', path: 'M12 19V6M6.5 11.5 12 6l5.5 5.5M5 21h14' },
  { href: '#/quarantine', text: 'Quarantine', path: 'M12 3l8.5 15.5H3.5zM12 10v4M12 16.5v.1' },
  { href: '#/log', text: 'Log', path: 'M5 6h14M5 10h14M5 14h9M5 18h11' },
  { href: '#/gateway', text: 'Gateway', path: 'M4 5h16v6H4zM4 13h16v6H4zM7.5 8h.1M7.5 16h.1' },
] as const;

export class Navigation {
  readonly #links = new Map<string, { readonly link: HTMLElement; readonly badge: HTMLElement }>();

  constructor(nav: HTMLElement) {
    for (const { href, text, path } of VIEWS) {
      const badge = el('span', { class: 'badge', hidden: true });
      const link = el('a', { href }, icon(path), el('span', { class: 'text' }, text), badge);
      this.#links.set(href, { link, badge });
      nav.append(link);
    }
  }

  show(href: string): void {
    for (const [known, { link }] of this.#links)
      if (known === href) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
  }

  /** Something to look at there; 0: nothing. */
  badge(href: (typeof VIEWS)[number]['href'], count: number): void {
    const { badge } = this.#links.get(href)!;
    show(badge, count > 0);
    setText(badge, count > 99 ? '99+' : countText(count));
  }
}
