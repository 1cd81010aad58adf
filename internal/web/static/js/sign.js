// Signing: with the person's passkey, or for who has none with a key that cannot
// leave this browser, Ed25519 (RFC 8032) by Web Cryptography, made not
// extractable and kept in IndexedDB.
//
// A form with data-sign and data-options (JSON, whose challenge is the digest)
// asks the passkey before it is sent, and puts the answer into its hidden field
// credential (JSON).
//
// Another form with data-sign holds the hidden fields digest (base64), signature and
// key. Before it is sent, the script signs the 32 bytes of the digest and fills
// signature (base64, 64 bytes) and key (identifier: first 16 hex digits of the
// public key's SHA-256). With data-sign="sign-in" or "touch" the digest field
// holds a nonce, and SHA-256 of "tangkal/sign-in/v1\n" (or "tangkal/touch/v1\n")
// and the nonce is signed, so that neither can ever be taken for an approval.
// The fields of a touch are named touch-digest, touch-signature and touch-key:
// it carries another form along.
//
//   data-keys     identifiers of the person's keys, of which one must be here
//   data-enrol    address that takes a new key by POST (public, label); where
//                 the browser holds no key, a button offers to make one, and in
//                 a demonstration (body data-demo) it is made unasked
//   data-label    what to call the key: the person's name
import { assertion, startPasskeys, wordFor } from './passkey.js';
import { each, say } from './words.js';

const store = 'keys';

function database() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('tangkal', 1);
    request.addEventListener('upgradeneeded', () => request.result.createObjectStore(store, { keyPath: 'id' }));
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error));
  });
}

async function inStore(mode, run) {
  const db = await database();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = db.transaction(store, mode);
      const request = run(transaction.objectStore(store));
      transaction.addEventListener('complete', () => resolve(request.result));
      transaction.addEventListener('error', () => reject(transaction.error));
      transaction.addEventListener('abort', () => reject(transaction.error));
    });
  } finally {
    db.close();
  }
}

const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const toBase64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const hex = (bytes) => [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, '0')).join('');

// Refusal carries the word to show.
class Refusal extends Error {
  constructor(word) {
    super(word);
    this.word = word;
  }
}

// listKeys returns {id, label, public} of every key in this browser.
export async function listKeys() {
  return inStore('readonly', (s) => s.getAll());
}

// makeKey makes and keeps a key; its public half is base64 of 32 bytes.
export async function makeKey(label) {
  if (!globalThis.crypto?.subtle) throw new Refusal('nosecure');
  let pair;
  try {
    pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
  } catch {
    throw new Refusal('noed25519');
  }
  const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
  const id = hex(await crypto.subtle.digest('SHA-256', raw)).slice(0, 16);
  const key = { id, label, public: toBase64(raw), private: pair.privateKey, made: new Date().toISOString() };
  await inStore('readwrite', (s) => s.put(key));
  return key;
}

const forgetKey = (id) => inStore('readwrite', (s) => s.delete(id));

// signDigest signs the 32 bytes of a base64 digest and returns base64.
export async function signDigest(digest, key) {
  const bytes = fromBase64(digest);
  if (bytes.length !== 32) throw new Refusal('signfailed');
  return toBase64(await crypto.subtle.sign({ name: 'Ed25519' }, key.private, bytes));
}

async function nonceDigest(purpose, nonce) {
  const head = new TextEncoder().encode(`tangkal/${purpose}/v1\n`);
  const body = fromBase64(nonce);
  const whole = new Uint8Array(head.length + body.length);
  whole.set(head);
  whole.set(body, head.length);
  return toBase64(await crypto.subtle.digest('SHA-256', whole));
}

async function keyFor(form) {
  if (!globalThis.crypto?.subtle) throw new Refusal('nosecure');
  const wanted = (form.dataset.keys ?? '').split(' ').filter(Boolean);
  const chosen = form.elements.namedItem('use')?.value;
  const keys = await listKeys();
  const key = keys.find((k) => (form.dataset.sign === 'sign-in' ? !chosen || k.id === chosen : wanted.includes(k.id)));
  if (!key) throw new Refusal('nokey');
  return key;
}

function showError(form, word) {
  const box = form.querySelector('[data-sign-error]');
  if (box) {
    box.textContent = say(word) || say('signfailed');
    box.classList.remove('hidden');
  }
  const make = form.querySelector('[data-make-key]');
  if (make) make.hidden = word !== 'nokey' || !form.dataset.enrol;
}

async function touch(form) {
  try {
    form.elements.namedItem('credential').value = await assertion(form.dataset.options);
  } catch (error) {
    throw new Refusal(wordFor(error));
  }
}

async function fill(form) {
  if (form.dataset.options) { await touch(form); return; }
  const key = await keyFor(form);
  const kind = form.dataset.sign;
  const field = (name) => form.elements.namedItem(kind === 'touch' ? `touch-${name}` : name);
  const digest = field('digest').value;
  field('signature').value = await signDigest(kind === 'act' ? digest : await nonceDigest(kind, digest), key);
  field('key').value = key.id;
}

async function signAndSend(form, submitter) {
  form.querySelector('[data-sign-error]')?.classList.add('hidden');
  form.setAttribute('aria-busy', 'true');
  try {
    await fill(form);
    form.dataset.signed = 'yes';
    form.requestSubmit(submitter ?? undefined);
  } catch (error) {
    if (error instanceof Refusal && error.word === 'nokey' && form.dataset.enrol && 'demo' in document.body.dataset && !form.dataset.enrolled) {
      form.dataset.enrolled = 'yes';
      await enrolAndSend(form, submitter);
      return;
    }
    showError(form, error instanceof Refusal ? error.word : 'signfailed');
  } finally {
    form.removeAttribute('aria-busy');
  }
}

// enrol makes a key, tells the server its public half, and forgets the key
// again if the server will not have it.
async function enrol(form) {
  const key = await makeKey(form.dataset.label ?? '');
  const answer = await fetch(form.dataset.enrol, { method: 'POST', body: new URLSearchParams({ public: key.public, label: navigator.platform || 'browser' }) });
  if (!answer.ok) {
    await forgetKey(key.id);
    throw new Refusal('signfailed');
  }
  form.dataset.keys = `${form.dataset.keys ?? ''} ${key.id}`;
}

async function enrolAndSend(form, submitter) {
  try {
    await enrol(form);
    await signAndSend(form, submitter);
  } catch (error) {
    showError(form, error instanceof Refusal ? error.word : 'signfailed');
  }
}

// A form with data-new-key sends the public half of a key made as it is sent,
// in its hidden field public: to join, and to add a browser.
async function makeAndSend(form, submitter) {
  try {
    const label = form.elements.namedItem(form.dataset.newKey)?.value || form.dataset.label || '';
    form.elements.namedItem('public').value = (await makeKey(label)).public;
    form.dataset.signed = 'yes';
    form.requestSubmit(submitter ?? undefined);
  } catch (error) {
    showError(form, error instanceof Refusal ? error.word : 'signfailed');
  }
}

// Sign-in offers the keys that are here; with none it says so.
async function offerKeys(form) {
  const select = form.elements.namedItem('use');
  if (!select) return;
  const keys = await listKeys();
  select.replaceChildren(...keys.map((k) => new Option(`${k.label || k.id} (${k.id})`, k.id)));
  select.closest('[data-key-choice]').hidden = keys.length < 2;
  each('[data-no-key]', (el) => { el.hidden = keys.length > 0; }, form);
  each('[data-has-key]', (el) => { el.hidden = keys.length === 0; }, form);
}

export function startSigning() {
  startPasskeys();
  document.addEventListener('submit', (e) => {
    const form = e.target;
    if (!form.matches('form[data-sign], form[data-new-key]') || e.submitter?.matches('[data-passkey]')) return;
    if (form.dataset.signed) { delete form.dataset.signed; return; }
    e.preventDefault();
    if ('sign' in form.dataset) signAndSend(form, e.submitter);
    else makeAndSend(form, e.submitter);
  }, true);
  document.addEventListener('click', (e) => {
    const form = e.target.closest('[data-make-key]')?.closest('form');
    if (form) enrolAndSend(form);
  });
  each('form[data-sign="sign-in"]', offerKeys);
}
