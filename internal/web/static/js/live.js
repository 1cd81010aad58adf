// One event stream a browser: the tab that holds the lock reads it and tells
// the others; when that tab closes, another takes over from the last event.
//
// The server sends messages of JSON {"type": "notice.answered", "ref": "…"}
// whose id is the feed's cursor, and a "ping" at least every 20 s.
import { each, say } from './words.js';
import { toast } from './app.js';

const silence = 45_000;
const channel = new BroadcastChannel('tangkal:live');
const url = document.body.dataset.events;
let lastHeard = Date.now();
let lastUpdate = new Date();
let lost = false;
let cursor = ''; // of the last event this tab heard, for when it takes over

// In the viewer's zone, which the clock of the top bar names.
const time = (date) => {
  const clock = document.querySelector('[data-clock="now"]');
  const options = { hour: '2-digit', minute: '2-digit', timeZone: clock?.dataset.zone || undefined };
  const text = date.toLocaleTimeString('en-GB', options);
  return `${document.documentElement.lang === 'id' ? text.replace(':', '.') : text} ${clock?.dataset.zoneShort ?? ''}`.trim();
};

function setLost(now) {
  if (now === lost) return;
  lost = now;
  each('[data-live-lost]', (strip) => {
    strip.hidden = !lost;
    strip.querySelector('[data-live-text]').textContent = say('lost', { time: time(lastUpdate) });
  });
}

const matches = (topics, type) => topics.split(' ').some((t) => t && (type === t || type.startsWith(`${t}.`)));

// Rows never move by themselves: a pill counts what waits, each thing once.
const news = new WeakMap(); // of a pill: the identifiers that it counts
function countNew(event) {
  each('[data-new-pill]', (pill) => {
    if (!matches(pill.dataset.newPill, event.type)) return;
    if (!news.has(pill)) news.set(pill, new Set());
    news.get(pill).add(event.id);
    pill.dataset.n = news.get(pill).size;
    speak();
  });
}

let speaking = null;
const write = () => each('[data-new-pill][data-n]', (pill) => {
  pill.querySelector('[data-new-text]').textContent = say('new', { n: pill.dataset.n });
  pill.hidden = false;
});
// Live regions speak at most every 10 s.
function speak() {
  if (speaking) return;
  write();
  speaking = setTimeout(() => { speaking = null; write(); }, 10_000);
}

function hear(event) {
  lastUpdate = new Date();
  countNew(event);
  each('[data-count-topic]', (el) => {
    if (!matches(el.dataset.countTopic, event.type)) return;
    const digits = el.textContent.replace(/\D/g, '');
    el.textContent = (Number(digits) + 1).toLocaleString(document.documentElement.lang);
  });
  // Elements that may be redrawn in place ask htmx by this event.
  each('[data-live]', (el) => matches(el.dataset.live, event.type) && el.dispatchEvent(new CustomEvent('live', { detail: event })));
  if (event.waiting !== undefined) showWaiting(event.waiting);
  if (event.say) toast(event.say);
  document.dispatchEvent(new CustomEvent('tangkal:event', { detail: event }));
}

const title = document.title;
export function showWaiting(n) {
  document.title = n > 0 ? `(${n}) ${title}` : title;
  each('[data-bell-dot]', (dot) => { dot.hidden = n === 0; });
}

function take(message) {
  lastHeard = Date.now();
  if (message.cursor) cursor = message.cursor;
  document.body.dataset.live = message.kind === 'lost' ? 'lost' : 'on';
  if (message.kind === 'event') hear(message.event);
  setLost(message.kind === 'lost');
}

const tell = (message) => { channel.postMessage(message); take(message); };

function read() {
  const source = new EventSource(cursor ? `${url}?after=${encodeURIComponent(cursor)}` : url);
  source.addEventListener('message', (e) => {
    tell({ kind: 'event', event: JSON.parse(e.data), cursor: e.lastEventId });
  });
  source.addEventListener('ping', () => tell({ kind: 'alive' }));
  source.addEventListener('open', () => tell({ kind: 'alive' }));
  source.addEventListener('error', () => tell({ kind: 'lost' }));
  addEventListener('pagehide', () => source.close());
}

export function startLive() {
  showWaiting(Number(document.body.dataset.unread ?? 0));
  if (!url) return;
  channel.addEventListener('message', (e) => take(e.data));
  setInterval(() => setLost(lost || Date.now() - lastHeard > silence), 5000);
  if (!navigator.locks) { read(); return; }
  // Held until this tab closes.
  navigator.locks.request('tangkal:live', () => new Promise(() => { read(); }));
}
