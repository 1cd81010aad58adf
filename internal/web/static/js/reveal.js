// Media that a reviewer has not asked to see stays blurred and grey. It clears
// while Space or the pointer is held and hides when let go, when the window
// loses focus, and at once by Z. The seconds that it was visible are counted
// and posted to data-exposure of the box, for the reviewer's own sake. Where
// data-review stands, work counts too, once a minute at most: a break is due
// after twenty minutes of media or fifty of review (the server decides).
import { toast } from './app.js';
import { policy } from './trust.js';
import { each, say } from './words.js';

let shown = null;
let since = 0;

const boxes = () => [...document.querySelectorAll('[data-safe]')];
const current = () => boxes().find((b) => b.matches(':hover')) ?? boxes()[0];

function show(box, level) {
  if (!box || shown === box) {
    if (box) box.dataset.reveal = level;
    return;
  }
  hide();
  shown = box;
  since = performance.now();
  box.dataset.reveal = level;
}

function hide() {
  if (!shown) return;
  const box = shown;
  shown = null;
  box.dataset.reveal = '0';
  box.querySelectorAll('video, audio').forEach((m) => m.pause());
  count(box, (performance.now() - since) / 1000);
}

// count adds up parts of seconds, posts whole ones and keeps the rest.
function count(box, seconds) {
  const sum = Number(box.dataset.rest ?? 0) + seconds;
  const whole = Math.floor(sum);
  box.dataset.rest = String(sum - whole);
  box.dataset.seen = String(Number(box.dataset.seen ?? 0) + whole);
  each('[data-seen-text]', (el) => { el.textContent = say('seen', { n: box.dataset.seen }); });
  if (whole === 0 || !box.dataset.exposure) return;
  post(whole).catch(() => {
    box.dataset.rest = String(Number(box.dataset.rest) + whole); // counted with the next
  });
}

// post adds to the dose and shows where it stands; what has become due is said.
async function post(seconds) {
  const answer = await fetch('/exposure', { method: 'POST', body: new URLSearchParams({ seconds }), keepalive: true });
  const old = document.querySelector('[data-dose]');
  if (!answer.ok || !old) return;
  const box = new DOMParser().parseFromString(policy.createHTML(await answer.text()), 'text/html').querySelector('[data-dose]');
  const before = old.dataset.dose;
  old.replaceWith(box);
  if (box.dataset.dose && box.dataset.dose !== before) toast(say(box.dataset.dose === 'full' ? 'dosefull' : 'breakdue'));
}

const minute = 60_000;
const lastWork = 'tangkal:review';

// work notes that somebody reviews.
function work() {
  if (document.hidden || !document.querySelector('[data-review]')) return;
  try {
    if (Date.now() - Number(sessionStorage.getItem(lastWork) ?? 0) < minute) return;
    sessionStorage.setItem(lastWork, Date.now());
  } catch { return; } // storage is off: media count all the same
  post(0).catch(() => {}); // the next minute counts again
}

// Space belongs to what has the focus; on an answer that stands it does nothing
// of its own, so there it reveals.
const free = (el) => !el.closest('input:not([type="radio"]:checked), textarea, select, button, a, summary, dialog, [contenteditable]');

export function startReveal() {
  for (const sign of ['keydown', 'pointerdown', 'wheel']) document.addEventListener(sign, work, { passive: true });
  document.addEventListener('keydown', (e) => {
    if (e.code === 'Space' && current() && free(e.target)) {
      e.preventDefault();
      show(current(), e.shiftKey ? '2' : '1');
    }
    if (e.key.toUpperCase() === 'Z' && free(e.target)) hide();
  });
  document.addEventListener('keyup', (e) => e.code === 'Space' && hide());
  document.addEventListener('pointerdown', (e) => {
    const box = e.target.closest('[data-safe]');
    if (box && e.button === 0 && !e.target.closest('button, a, input')) show(box, e.shiftKey ? '2' : '1');
  });
  for (const end of ['pointerup', 'pointercancel']) document.addEventListener(end, hide);
  document.addEventListener('pointerout', (e) => shown && !shown.contains(e.relatedTarget) && shown.matches(':not(:hover)') && hide());
  window.addEventListener('blur', hide);
  window.addEventListener('pagehide', hide);
  document.addEventListener('visibilitychange', () => document.hidden && hide());
  // Controls of a box: blur step, grey, outline only. Greyer and blurrier only.
  document.addEventListener('input', (e) => {
    const box = document.querySelector('[data-safe]');
    if (box && e.target.matches('[data-blur]')) box.dataset.blur = e.target.value;
  });
  document.addEventListener('click', (e) => {
    const toggle = e.target.closest('[data-safe-toggle]');
    const box = document.querySelector('[data-safe]');
    if (!toggle || !box) return;
    const on = toggle.getAttribute('aria-pressed') !== 'true';
    toggle.setAttribute('aria-pressed', String(on));
    box.toggleAttribute(`data-${toggle.dataset.safeToggle}`, on);
  });
}
