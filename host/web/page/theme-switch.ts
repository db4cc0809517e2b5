/** The button that goes round: as the system has it, light, dark. */
import { fill, icon } from './dom.js';
import { remember } from './memory.js';

type Theme = 'system' | 'light' | 'dark';

const NEXT: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };
const ICONS: Readonly<Record<Theme, string>> = {
  system: 'M4 5h16v11H4zM9 20h6M12 16v4',
  light:
    'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4',
  dark: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z',
};

/** @param changed is called after the colours have become others, also by the system */
export function themeSwitch(button: HTMLElement, changed: () => void): void {
  const current = (): Theme => {
    const { theme } = document.documentElement.dataset;
    return theme === 'light' || theme === 'dark' ? theme : 'system';
  };
  const draw = () => {
    const theme = current();
    const text = `Colours: ${theme === 'system' ? 'as the system has them' : theme}`;
    button.setAttribute('aria-label', text);
    button.setAttribute('title', text);
    fill(button, icon(ICONS[theme]));
  };
  button.addEventListener('click', () => {
    const theme = NEXT[current()];
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    remember(() => localStorage, 'theme', theme === 'system' ? undefined : theme);
    draw();
    changed();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  draw();
}
