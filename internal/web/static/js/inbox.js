// The platform's inbox beyond console.js: the keys 1 to 5 answer one item after
// the other, and the button says how many answers it sends.
import { each } from './words.js';

const items = () => [...document.querySelectorAll('[data-answer-item]')];
const answered = (item) => item.querySelector('[data-answer-set] input[name$=".answer"]:checked') !== null;

// point gives the keys to one item; the others have none.
function point(item) {
  each('#notice [data-answer-key]', (el) => { delete el.dataset.key; });
  each('[data-answer-item]', (el) => el.toggleAttribute('data-current', el === item));
  if (item) each('[data-answer-key]', (el) => { el.dataset.key = el.dataset.answerKey; }, item);
}

const next = () => items().find((i) => i.dataset.answerItem === 'open' && !answered(i));

function count() {
  const button = document.querySelector('[data-send]');
  if (!button) return;
  const n = items().filter(answered).length;
  const text = n === 0 ? button.dataset.none : n === 1 ? button.dataset.one : button.dataset.many.replace('{n}', n);
  button.querySelector('[data-send-text]').textContent = text;
}

document.addEventListener('change', (e) => {
  const item = e.target.closest('[data-answer-item]');
  if (!item || !e.target.matches('input[name$=".answer"]')) return;
  count();
  const field = item.querySelector(`.ans-d[data-for="${CSS.escape(e.target.value)}"] :is(input, textarea)`);
  // An answer that needs words keeps its item; the others hand the keys on.
  const to = field ? item : next();
  point(to);
  to?.scrollIntoView({ block: 'nearest' });
});
document.addEventListener('focusin', (e) => {
  const item = e.target.closest('[data-answer-item]');
  if (item) point(item);
});

point(next());
count();
