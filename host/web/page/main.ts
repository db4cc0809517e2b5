/** Puts the page together: the connection, the way between the views, the token, the colours. */
import { gatewayConcerns, refusedCount } from './condition.js';
import { Connection, type ConnectionState } from './connection.js';
import { byId, el, fill, icon, setText, show } from './dom.js';
import { FleetStore } from './fleet-store.js';
import { Navigation } from './navigation.js';
import { redrawPlots } from './plot.js';
import { themeSwitch } from './theme-switch.js';
import { TokenDialog } from './token-dialog.js';
import type { Context, View } from './view.js';
import { DeviceView } from './views/device.js';
import { FleetView } from './views/fleet.js';
import { GatewayView } from './views/gateway.js';
import { LogView } from './views/log.js';
import { QuarantineView } from './views/quarantine.js';
import { UplinkView } from './views/uplink.js';

const NOTICE_MS = 6000;
const OPEN_LOCK = 'M6 11h12v9H6zM8.5 11V7.5a3.5 3.5 0 0 1 6.8-1.2';
const CLOSED_LOCK = 'M6 11h12v9H6zM8.5 11V7.5a3.5 3.5 0 0 1 7 0V11';

const fleet = new FleetStore();
const accessListeners = new Set<() => void>();
const navigation = new Navigation(byId('nav'));
const lock = byId<HTMLButtonElement>('unlock');
let view: View | undefined;

const connection = new Connection(new URL('socket', location.href.replace(/^http/, 'ws')).href, connected);
const dialog = new TokenDialog(connection);

const context: Context = {
  connection,
  fleet,
  notice(text, level) {
    const notice = el('p', { class: level }, text);
    byId('notices').append(notice);
    setTimeout(() => notice.remove(), NOTICE_MS);
  },
  onAccess(listener) {
    accessListeners.add(listener);
    return () => accessListeners.delete(listener);
  },
  async unlock(why) {
    const { state } = connection;
    if (state.name !== 'open') {
      context.notice('There is no connection to the gateway', 'bad');
      return false;
    }
    if (state.unlocked) return true;
    if (state.hello.token) return dialog.ask(`“${why}” changes something, so it needs the token.`);
    context.notice(
      'This page may only look: set web.tokenFile in the configuration of the gateway to allow changes',
    );
    return false;
  },
};

connection.stream(
  'fleet',
  {},
  {
    item(item) {
      fleet.apply(item);
      navigation.badge('#/quarantine', refusedCount(item.status));
      navigation.badge(
        '#/gateway',
        gatewayConcerns(item.status).filter(({ href }) => href === '#/gateway').length,
      );
      if (view === undefined) route();
    },
  },
);

function route(): void {
  const { hash } = location;
  if (hash !== '' && !hash.startsWith('#/')) return; // a place within the page
  const [name = '', argument] = hash.slice(2).split('/').map(decode);
  // Nothing can be drawn before the fleet has been told once.
  if (fleet.status === undefined) return;
  const focused = view !== undefined;
  view?.destroy();
  view = makeView(name, argument);
  document.title = `${view.title} · ${fleet.status.gateway}`;
  navigation.show(name === 'device' || name === '' ? '#/fleet' : `#/${name}`);
  fill(byId('view'), view.element);
  show(byId('waiting'), false);
  scrollTo(0, 0);
  if (focused) byId('main').focus({ preventScroll: true });
}

function makeView(name: string, argument: string | undefined): View {
  if (name === 'device' && argument !== undefined) return new DeviceView(context, argument);
  if (name === 'uplink') return new UplinkView(context);
  if (name === 'quarantine') return new QuarantineView(context, argument);
  if (name === 'log') return new LogView(context);
  if (name === 'gateway') return new GatewayView(context);
  return new FleetView(context, argument);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function connected(state: ConnectionState): void {
  const link = byId('link');
  const live = state.name === 'open' && state.shown;
  link.className = live ? 'link live' : 'link';
  setText(
    link,
    live
      ? 'live'
      : state.name === 'open'
        ? 'locked'
        : state.name === 'waiting'
          ? 'reconnecting'
          : 'connecting',
  );
  byId('view').classList.toggle('stale', !live);
  if (state.name === 'open') {
    setText(byId('site'), state.hello.site);
    setText(byId('gateway'), state.hello.gateway);
    if (!state.shown && !state.trying) void dialog.ask('This gateway shows nothing without its token.');
  }
  drawLock(state);
  for (const listener of accessListeners) listener();
}

function drawLock(state: ConnectionState): void {
  show(lock, state.name === 'open' && state.hello.token);
  const unlocked = state.name === 'open' && state.unlocked;
  const text = unlocked ? 'Changes are allowed: lock again' : 'Only looking: give the token to allow changes';
  lock.setAttribute('aria-pressed', String(unlocked));
  lock.setAttribute('aria-label', text);
  lock.title = text;
  fill(lock, icon(unlocked ? OPEN_LOCK : CLOSED_LOCK));
}

lock.addEventListener('click', () => {
  const { state } = connection;
  if (state.name === 'open' && state.unlocked) connection.lock();
  else void dialog.ask('With it, this page may change something at the gateway until it is closed.');
});
themeSwitch(byId('theme'), redrawPlots);
addEventListener('hashchange', route);
