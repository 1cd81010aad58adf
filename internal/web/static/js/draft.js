// Drafts: what somebody typed and has not sent outlives a lost connection and a
// closed tab. It stays on this device, is never sent by itself, and is offered
// back, never filled in unasked (docs/adr/0011-drafts-stay-on-the-device.md).
//
//   data-draft="NAME"     on a form: its answers are kept under that name, and
//                         the person's; offered again while the form asks the
//                         same questions (its field "base", else its fields)
//   data-draft-only       the names of fields that may be kept; absent: all
//   data-draft-hours      after which a draft is dropped unseen
//   data-draft-keep       a box in the form that the person ticks first; a form
//                         without one keeps by itself
//   data-draft-offer      hidden; shown while a draft waits, with a time in
//                         data-draft-at, data-draft-restore, data-draft-discard
//   data-draft-sent       on a page that confirms: the draft of that name ends
import { changed, fill } from './forms.js';
import { each, say } from './words.js';

const prefix = 'tangkal:draft:';
const sent = 'tangkal:sent';
const hour = 3_600_000;
const keyOf = (name) => `${prefix}${document.body.dataset.person ?? ''}:${name}`;

// Storage may be off; then there are no drafts.
function stored(run) {
  try {
    return run();
  } catch { return null; }
}

const read = (key) => stored(() => JSON.parse(localStorage.getItem(key)));
const drop = (key) => stored(() => localStorage.removeItem(key));
const keys = () => stored(() => Object.keys(localStorage).filter((k) => k.startsWith(prefix))) ?? [];

// forgetDrafts leaves nothing that anybody typed on this device.
export function forgetDrafts() {
  keys().forEach(drop);
  stored(() => sessionStorage.clear());
}

class Draft {
  constructor(form) {
    this.form = form;
    this.key = keyOf(form.dataset.draft);
    this.box = form.querySelector('[data-draft-keep]');
    this.offer = form.querySelector('[data-draft-offer]') ?? document.querySelector('[data-draft-offer]');
    this.waits = false; // for the person to say what becomes of the draft
  }

  fields() {
    const only = this.form.dataset.draftOnly?.split(' ');
    return [...this.form.elements].filter((f) => f.name && !['file', 'password', 'hidden', 'submit', 'button', 'fieldset'].includes(f.type) && (!only || only.includes(f.name)));
  }

  answers() {
    return this.fields().map((f) => [f.name, f.value, f.checked === true]);
  }

  base() {
    return this.form.elements.base?.value ?? [...new Set(this.fields().map((f) => f.name))].join(' ');
  }

  filled() {
    return this.fields().some((f) => (['radio', 'checkbox'].includes(f.type) ? f.checked : f.type !== 'select-one' && f.value.trim() !== ''));
  }

  save() {
    if (this.waits || (this.box && !this.box.checked)) return;
    const value = { base: this.base(), at: Date.now(), until: Date.now() + Number(this.form.dataset.draftHours) * hour, answers: this.answers() };
    stored(() => localStorage.setItem(this.key, JSON.stringify(value)));
  }

  settle() {
    this.waits = false;
    if (this.offer) this.offer.hidden = true;
  }

  restore() {
    const draft = read(this.key);
    this.settle();
    if (!draft) return;
    const rows = (name) => this.fields().filter((f) => f.name === name).length;
    const add = this.form.querySelector('[data-add-row]');
    for (let n = draft.answers.filter(([name]) => name === 'url').length - rows('url'); add && n > 0; n -= 1) add.click();
    fill(this.form, draft.answers);
    this.fields().forEach((f) => { if (f.value && f.closest('details')) f.closest('details').open = true; });
    if (this.box) this.box.checked = true;
    changed(this.form);
    this.fields().find((f) => f.checkVisibility() && !f.disabled)?.focus();
  }

  discard() {
    drop(this.key);
    this.settle();
    if (this.box) this.box.checked = false;
    this.fields().find((f) => f.checkVisibility() && !f.disabled)?.focus();
  }

  start() {
    const draft = read(this.key);
    const same = draft && JSON.stringify(draft.answers) === JSON.stringify(this.answers());
    if (draft && draft.base !== this.base() && !this.box) drop(this.key);
    else if (this.box && draft && this.filled()) this.box.checked = true; // it came back from the server with its answers
    else if (draft && !same && !('unsaved' in this.form.dataset) && this.fields().some((f) => !f.matches(':disabled'))) this.show(draft);
    for (const change of ['input', 'change']) this.form.addEventListener(change, (e) => e.target !== this.box && this.save());
    this.box?.addEventListener('change', () => {
      if (!this.box.checked) this.discard();
      this.settle();
      this.save();
    });
    this.form.addEventListener('submit', () => stored(() => sessionStorage.setItem(sent, this.key)));
  }

  show(draft) {
    if (!this.offer) return;
    this.waits = true;
    const at = new Date(draft.at);
    this.offer.querySelector('[data-draft-at]').textContent = at.toLocaleString(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' });
    this.offer.querySelector('[data-draft-restore]').addEventListener('click', () => this.restore());
    this.offer.querySelector('[data-draft-discard]').addEventListener('click', () => this.discard());
    this.offer.hidden = false;
  }
}

// What is over, or was just accepted, goes.
function sweep() {
  keys().forEach((k) => { if (!((read(k)?.until ?? 0) > Date.now())) drop(k); });
  const key = stored(() => sessionStorage.getItem(sent));
  stored(() => sessionStorage.removeItem(sent));
  if (key && document.querySelector('[data-toast]')) drop(key);
  each('[data-draft-sent]', (el) => drop(keyOf(el.dataset.draftSent)));
}

function start() {
  sweep();
  each('form[data-draft]', (form) => {
    if (form.dataset.drafting) return;
    form.dataset.drafting = 'yes';
    new Draft(form).start();
  });
}

export function startDrafts() {
  start();
  document.addEventListener('tangkal:page', start);
}

// stayOffline comes before whatever else listens to what is sent.
export function stayOffline() {
  document.addEventListener('submit', (e) => {
    if (e.target.action?.endsWith('/sign-out')) forgetDrafts();
    if (navigator.onLine || !e.target.matches('form[data-draft]')) return;
    e.preventDefault(); // the answers stay; the browser's own page would take them away
    e.stopImmediatePropagation();
    document.dispatchEvent(new CustomEvent('tangkal:say', { detail: say('offline') }));
  }, { capture: true });
}
