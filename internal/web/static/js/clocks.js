// Keeps words of time current. The server decides what is late: a deadline
// that passes while the page stays open says so, and no more.
import { each, say, span } from './words.js';

const now = () => Date.now() / 1000;

function deadline(el) {
  const left = new Date(el.dateTime).getTime() / 1000 - now();
  const out = el.querySelector('[data-words-of-clock]');
  if (!out) return;
  if ('over' in el.dataset) out.textContent = say('over', { span: span(left) });
  else out.textContent = left > 0 ? say('left', { span: span(left) }) : say('due');
}

function ago(el) {
  const since = now() - new Date(el.dateTime).getTime() / 1000;
  el.textContent = since < 60 ? el.dataset.agoNow : el.dataset.agoForm.replace('{span}', span(since));
}

function clock(el) {
  const options = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  if (el.dataset.zone) options.timeZone = el.dataset.zone;
  const lang = document.documentElement.lang;
  const text = new Intl.DateTimeFormat('en-GB', options).format(new Date());
  el.textContent = `${lang === 'id' ? text.replace(':', '.') : text} ${el.dataset.zoneShort}`;
}

const kinds = { deadline, ago, now: clock };

export function tick(root = document) {
  each('[data-clock]', (el) => kinds[el.dataset.clock]?.(el), root);
}

export function startClocks() {
  setInterval(tick, 15_000);
  document.addEventListener('visibilitychange', () => document.hidden || tick());
}
