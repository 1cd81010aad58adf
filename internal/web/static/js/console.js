// What pages for staff do beyond app.js: fragments by htmx under the Trusted
// Types policy, the event stream, the keyboard, signing, safe media.
import '../htmx.min.js';
import { secureHtmx } from './trust.js';
import { freshen } from './app.js';
import { changed } from './forms.js';
import { startKeys } from './keys.js';
import { startLive } from './live.js';
import { startReveal } from './reveal.js';
import { startSigning } from './sign.js';

secureHtmx();
startLive();
startKeys();
startReveal();
startSigning();

const busy = (on) => document.body.toggleAttribute('data-busy', on);
document.addEventListener('htmx:before:request', () => busy(true));
document.addEventListener('htmx:finally:request', () => busy(false));
document.addEventListener('htmx:after:swap', freshen);

document.querySelector('[data-rail-toggle]')?.addEventListener('click', () => document.querySelector('.app').classList.toggle('rail-open'));

// What is open in a list of questions, by the name of its radio group.
function openIn(list) {
  const names = new Set([...list.querySelectorAll('input[type="radio"]:not(:disabled)')].map((i) => i.name));
  return [...names].filter((n) => !list.querySelector(`input[name="${CSS.escape(n)}"]:checked`));
}

// "The rest: no" answers what is open, and rests while nothing is.
function startRest() {
  const buttons = [...document.querySelectorAll('[data-rest]')];
  const lists = new Map(buttons.map((b) => [b, document.getElementById(b.dataset.rest)]));
  const show = () => lists.forEach((list, b) => { b.disabled = openIn(list).length === 0; });
  lists.forEach((list, b) => b.addEventListener('click', () => {
    for (const n of openIn(list)) list.querySelector(`input[name="${CSS.escape(n)}"][value="no"]`).checked = true;
    changed(list);
    show();
    document.getElementById(b.dataset.then)?.focus();
  }));
  if (buttons.length > 0) document.addEventListener('change', show);
  show();
}
startRest();
