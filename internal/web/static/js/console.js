// What pages for staff do beyond app.js: fragments by htmx under the Trusted
// Types policy, the event stream, the keyboard, signing, safe media.
import '../htmx.min.js';
import { secureHtmx } from './trust.js';
import { freshen } from './app.js';
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
