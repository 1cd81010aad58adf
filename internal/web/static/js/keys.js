// The keyboard of the console. What a key does stands on the element it works:
//
//   data-key="R"          pressed, clicked or focused by that key
//   data-key="G T"        one key after the other
//   data-key="Shift+1"    with a modifier; Ctrl+Enter works while typing too
//   data-key-cycle        a radio group: each press goes to the next answer
//   data-list-item        J and K go through these; data-list-open on the list
//                         opens them as well
//
//   data-opened           around what is open; while a row of the list that is
//                         not it has the focus, keys do not reach in here
//
// Single keys rest while somebody types, and can be switched off (WCAG 2.2,
// success criterion 2.1.4). Words typed with no field in focus do nothing that
// is sent: a letter that sends waits for a moment, and the next one stops it.
import { toast } from './app.js';
import { changed } from './forms.js';
import { each, say } from './words.js';

const setting = 'tangkal:single-keys';
const burst = 300; // ms; people press a shortcut alone, and type faster than this
let first = '';
let forget = 0;
let sending = 0; // the timer of a letter that will send
let lastLetter = -burst;
let worked = false; // the key that is down has done its work

export const singleKeys = () => (localStorage.getItem(setting) ?? ('keysOff' in document.body.dataset ? 'off' : 'on')) === 'on';

const typing = (el) => el.closest('input:not([type="radio"]):not([type="checkbox"]):not([type="range"]), textarea, select, [contenteditable]');

// name says a press as data-key writes it: digits by their place, so that
// Shift and the layout do not matter, letters in capitals.
function name(e) {
  if (e.key === '?') return '?';
  const digit = /^Digit(\d)$/.exec(e.code);
  const key = digit ? digit[1] : e.key === ' ' ? 'Space' : e.key.length === 1 ? e.key.toUpperCase() : e.key;
  const mods = [[e.ctrlKey || e.metaKey, 'Ctrl'], [e.altKey, 'Alt'], [e.shiftKey, 'Shift']];
  return [...mods.filter(([on]) => on).map(([, m]) => m), key].join('+');
}

const visible = (el) => el.checkVisibility() && !el.disabled && el.getAttribute('aria-disabled') !== 'true';
const open = () => document.querySelector('dialog[open]');

function find(key) {
  const scope = open() ?? document;
  return [...scope.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find(visible);
}

function cycle(group) {
  const answers = [...group.querySelectorAll('input[type="radio"]:not(:disabled)')];
  if (answers.length === 0) return;
  const at = answers.findIndex((a) => a.checked);
  const next = answers[(at + 1) % answers.length];
  next.checked = true;
  next.focus({ preventScroll: true });
  changed(next);
  group.scrollIntoView({ block: 'nearest' });
}

function work(el) {
  if ('keyCycle' in el.dataset) cycle(el);
  else if (el.matches('input:not([type="radio"]):not([type="checkbox"]), textarea, select')) el.focus();
  else if (el.matches('form')) el.requestSubmit();
  else {
    el.click();
    if (el.matches('input')) el.focus({ preventScroll: true }); // Tab goes on from here
  }
}

function move(step) {
  const items = [...document.querySelectorAll('[data-list-item]')].filter(visible);
  if (items.length === 0) return false;
  const here = items.findIndex((i) => i === document.activeElement || i.contains(document.activeElement));
  const at = here >= 0 ? here : items.findIndex((i) => i.getAttribute('aria-current') === 'true');
  const next = items[Math.min(items.length - 1, Math.max(0, at + step))];
  next.focus();
  next.scrollIntoView({ block: 'nearest' });
  if (next.closest('[data-list-open]') && next !== items[at]) next.click();
  return true;
}

const sends = (el) => el.matches('button[type="submit"], form');
const besides = (el) => el.closest('[data-opened]') && document.activeElement?.closest('[data-list-item]:not([aria-current="true"])');

// later works el unless the letter turns out to be part of a word.
function later(el, quick) {
  if (!quick) sending = setTimeout(() => el.isConnected && work(el), burst);
}

function run(key, quick = false) {
  const el = find(key);
  if (el && besides(el)) { toast(say('openfirst')); return true; }
  if (el && /^[A-Z]$/.test(key) && sends(el)) { later(el, quick); return true; }
  if (el) { work(el); return true; }
  if (open()) return false;
  if (key === 'J') return move(1);
  if (key === 'K') return move(-1);
  if (key === '?') { document.getElementById('keys')?.showModal(); return true; }
  return false;
}

function palette() {
  const dialog = document.getElementById('cmdk');
  if (!dialog) return false;
  if (dialog.open) dialog.close();
  else if (!open()) dialog.showModal();
  return true;
}

function press(e) {
  worked = false;
  if (e.isComposing || e.defaultPrevented) return;
  const key = name(e);
  clearTimeout(sending);
  const quick = e.timeStamp - lastLetter < burst;
  lastLetter = e.key.length === 1 ? e.timeStamp : -burst; // any other key ends a word
  if (key === 'Ctrl+K') { if (palette()) e.preventDefault(); return; }
  const modified = e.ctrlKey || e.metaKey || e.altKey;
  if (typing(e.target) && !key.startsWith('Ctrl+')) return;
  if (!modified && !singleKeys() && e.key !== 'Escape') return;
  if (e.key === 'Enter' && !modified) return; // the focused element's own
  const both = first && !modified ? `${first} ${key}` : '';
  clearTimeout(forget);
  first = '';
  if ((both && run(both)) || run(key, quick)) {
    worked = true;
    e.preventDefault();
    return;
  }
  if (!modified && document.querySelector(`[data-key^="${CSS.escape(key)} "]`)) {
    first = key;
    forget = setTimeout(() => { first = ''; }, 1200);
  }
}

export function startKeys() {
  document.addEventListener('keydown', press);
  // What a key has done is all that it does: Ctrl Enter on an answer of a form
  // would send the form a second time, into a new tab.
  document.addEventListener('keypress', (e) => {
    if (worked) e.preventDefault();
  }, true);
  each('[data-keys-switch]', (box) => {
    box.checked = singleKeys();
    box.addEventListener('change', () => localStorage.setItem(setting, box.checked ? 'on' : 'off'));
  });
  // Commands that press what is not on this page now are not offered.
  const dialog = document.getElementById('cmdk');
  dialog?.addEventListener('toggle', () => {
    each('[data-click]', (c) => {
      const target = document.querySelector(c.dataset.click);
      c.hidden = !target || !visible(target);
      c.setAttribute('aria-disabled', String(c.hidden));
    }, dialog);
    dialog.querySelector('.command')?.refresh?.();
  });
  // The palette's last line looks for what was typed.
  const input = document.getElementById('cmdk-i');
  input?.addEventListener('input', () => each('[data-find]', (a) => {
    a.querySelector('[data-find-word]').textContent = input.value;
    a.href = `${a.dataset.find}?q=${encodeURIComponent(input.value.trim())}`;
  }));
}
