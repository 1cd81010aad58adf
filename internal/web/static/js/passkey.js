// Passkeys (WebAuthn Level 3): a submit button with data-passkey asks the
// authenticator before its form is sent.
//
//   data-passkey   "create" makes a passkey, "get" uses one
//   data-options   the options as JSON, from the server
//
//   data-field     name of the hidden field that takes the answer, "credential"
//                  if empty
//
// The answer goes into that field as JSON. What went
// wrong is said in the form's [data-sign-error].
import { say } from './words.js';

async function ask(kind, json) {
  const options = JSON.parse(json);
  if (!globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON) throw new Error('nopasskeys');
  const credential = kind === 'create'
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  return JSON.stringify(credential.toJSON());
}

// assertion asks a passkey as the options say and returns its answer as JSON.
export const assertion = (json) => ask('get', json);

// wordFor says in the reader's terms what the browser's error means (WebAuthn
// Level 3, section 5.1.3.1).
export function wordFor(error) {
  if (error.message === 'nopasskeys') return 'nopasskeys';
  if (error.name === 'InvalidStateError') return 'passkeyhere';
  if (error.name === 'NotAllowedError') return 'passkeystopped';
  return 'passkeyfailed';
}

async function askAndSend(form, button) {
  const box = form.querySelector('[data-sign-error]');
  box?.classList.add('hidden');
  form.setAttribute('aria-busy', 'true');
  try {
    form.elements.namedItem(button.dataset.field || 'credential').value = await ask(button.dataset.passkey, button.dataset.options);
    form.dataset.answered = 'yes';
    form.requestSubmit(button);
  } catch (error) {
    if (!box) return;
    box.textContent = say(wordFor(error));
    box.classList.remove('hidden');
  } finally {
    form.removeAttribute('aria-busy');
  }
}

export function startPasskeys() {
  document.addEventListener('submit', (e) => {
    const button = e.submitter;
    if (!button?.matches('button[data-passkey]')) return;
    if (e.target.dataset.answered) { delete e.target.dataset.answered; return; }
    e.preventDefault();
    askAndSend(e.target, button);
  }, true);
}
