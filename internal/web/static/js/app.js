// What every page does: theme, clocks, copying, toasts, the quick exit, forms.
// Each of them is an improvement; the page works without.
import { startClocks, tick } from './clocks.js';
import { forgetDrafts, startDrafts, stayOffline } from './draft.js';
import { focusErrors, startForms } from './forms.js';
import { policy } from './trust.js';
import { startWork } from './work.js';
import { each, say } from './words.js';

const root = document.documentElement;
const year = 365 * 24 * 3600;

function remember(name, value) {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${name}=${value}; Path=/; Max-Age=${value ? year : 0}; SameSite=Lax${secure}`;
}

// theme goes light, dark, as the device; the server reads the cookie, so that
// the next page is painted right at once.
function nextTheme() {
  const order = { auto: 'light', light: 'dark', dark: 'auto' };
  root.dataset.theme = order[root.dataset.theme] ?? 'light';
  remember('theme', root.dataset.theme === 'auto' ? '' : root.dataset.theme);
  root.dispatchEvent(new Event('tangkal:theme'));
}

async function copy(button) {
  const label = button.querySelector('[data-copy-label]');
  const before = label?.textContent;
  let word = 'copied';
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    word = 'copyfailed';
  }
  toast(say(word));
  if (!label || word !== 'copied') return;
  label.textContent = say(word);
  setTimeout(() => { label.textContent = before; }, 1600);
}

// save hands a text over as a file, made on the device.
function save(button) {
  const url = URL.createObjectURL(new Blob([`${button.dataset.save}\n`], { type: 'text/plain' }));
  const a = Object.assign(document.createElement('a'), { href: url, download: button.dataset.saveName || 'tangkal.txt' });
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// toast says something short; the page's own toasts (with undo) go the same way.
export function toast(text) {
  const el = document.createElement('div');
  el.className = 'toast-own';
  el.textContent = text;
  el.dataset.toast = '';
  document.querySelector('[data-toasts]')?.append(el);
  runToast(el);
}

function runToast(el) {
  if (el.dataset.running) return;
  el.dataset.running = 'true';
  document.querySelector('[data-toasts]')?.append(el);
  const left = el.querySelector('[data-undo-left]');
  let seconds = left || el.querySelector('a') ? 10 : 5;
  const close = () => { clearInterval(timer); el.remove(); };
  const timer = setInterval(() => {
    if (el.matches(':hover, :focus-within')) return;
    seconds -= 1;
    if (left) left.textContent = seconds;
    if (seconds <= 0) close();
  }, 1000);
  if (left) left.textContent = seconds;
  el.querySelector('[data-toast-close]')?.addEventListener('click', close);
}

// An act leads to a page that tells its outcome; the focus then stands on the
// heading of what is open, not on the body, so that reading and Tab go on there.
function focusOpened() {
  if (!document.querySelector('[data-toast]:not([data-running])') || document.activeElement !== document.body) return;
  const heads = [...document.querySelectorAll('main [data-opened] :is(h1, h2)'), ...document.querySelectorAll('main :is(h1, h2)')];
  const head = heads.find((h) => h.checkVisibility());
  if (!head) return;
  head.tabIndex = -1;
  head.focus({ preventScroll: true });
}

// leave replaces the page, so that Back does not return to it, and takes along
// what was typed on this device.
function leave() {
  const to = document.body.dataset.exit;
  if (!to) return;
  document.body.hidden = true;
  forgetDrafts();
  location.replace(to);
}

let shifts = [];
function countShift(e) {
  if (e.key !== 'Shift') { shifts = []; return; }
  if (e.repeat) return;
  shifts = [...shifts.filter((t) => e.timeStamp - t < 2000), e.timeStamp];
  if (shifts.length >= 3) leave();
}

// openTab follows a link to a tab into what the tab shows.
function openTab(a, e) {
  const tab = document.getElementById(a.hash.slice(1));
  if (tab?.role !== 'tab') return;
  e.preventDefault();
  tab.click();
  tab.focus();
}

const presses = [
  ['[data-theme-toggle]', () => nextTheme()],
  ['[data-lang]', (a) => remember('lang', a.lang)],
  ['[data-copy]', (b) => copy(b)],
  ['[data-save]', (b) => save(b)],
  ['[data-print]', () => print()],
  ['[data-quick-exit]', (b, e) => { e.preventDefault(); leave(); }],
  ['[data-open]', (b) => document.getElementById(b.dataset.open)?.showModal()],
  ['[data-close]', (b) => b.closest('dialog')?.close()],
  ['a[href^="#"]', (a, e) => openTab(a, e)],
  ['[data-click]', (b) => document.querySelector(b.dataset.click)?.click()],
];

function press(e) {
  for (const [selector, run] of presses) {
    const hit = e.target.closest(selector);
    if (hit) run(hit, e);
  }
  if (e.target instanceof HTMLDialogElement) e.target.close();
  each('details.rail-menu[open], details.pub-menu[open]', (d) => { if (!d.contains(e.target)) d.open = false; });
}

function freshen() {
  focusOpened();
  each('[data-toast]', runToast);
  tick();
}

document.addEventListener('click', press);
document.addEventListener('keydown', countShift);
document.addEventListener('tangkal:say', (e) => toast(e.detail));
document.addEventListener('tangkal:page', () => { freshen(); focusErrors(); });
stayOffline();
startWork();
startForms((html) => policy.createHTML(html));
startDrafts();
startClocks();
freshen();

export { freshen };
