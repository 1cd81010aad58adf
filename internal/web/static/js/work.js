// While very many report, a report, and what is added to one, costs some work of
// the device that sends it
// (nothing in quiet times). The device works in a worker, out of the way of the
// page, before the form goes. Without script the page waits its turn instead.
import { policy } from './trust.js';
import { say } from './words.js';

async function price() {
  const answer = await fetch('/report/ticket', { method: 'POST', credentials: 'omit', headers: { Accept: 'application/json' } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

const work = ({ ticket, bits }) => new Promise((resolve, reject) => {
  const worker = new Worker(policy.createScriptURL(new URL('/static/js/hash.js', location.href).href));
  worker.addEventListener('message', (e) => { worker.terminate(); resolve(e.data); });
  worker.addEventListener('error', (e) => { worker.terminate(); reject(e); });
  worker.postMessage({ ticket, bits });
});

function put(form, name, value) {
  let field = form.elements.namedItem(name);
  if (!field) {
    field = Object.assign(document.createElement('input'), { type: 'hidden', name });
    form.prepend(field); // the texts of a form come before its files
  }
  field.value = value;
}

// pay asks what it costs, works for it and notes both in the form. What fails
// is sent unpaid: the server then shows the page that waits.
async function pay(form) {
  const status = form.querySelector('[data-work-status]');
  try {
    const asked = await price();
    if (asked.bits === 0) return;
    if (status) status.textContent = say('working');
    put(form, 'ticket', asked.ticket);
    put(form, 'work', await work(asked));
    form.action = form.dataset.front;
  } catch { /* see above */ }
}

async function send(form, submitter) {
  form.setAttribute('aria-busy', 'true');
  if (submitter) submitter.disabled = true;
  await pay(form);
  form.removeAttribute('aria-busy');
  if (submitter) submitter.disabled = false;
  form.dataset.paid = '';
  form.requestSubmit(submitter);
}

// A page that waits is left by itself where nothing is to be chosen again.
function now() {
  const form = document.querySelector('form[data-work="now"]');
  if (form && !form.querySelector('input[type="file"]')) form.requestSubmit(form.querySelector('[type="submit"]'));
}

export function startWork() {
  document.addEventListener('submit', (e) => {
    const form = e.target;
    if (!form.matches('form[data-work]') || e.submitter?.name === 'switch') return;
    if ('paid' in form.dataset) {
      delete form.dataset.paid;
      return;
    }
    e.preventDefault();
    e.stopImmediatePropagation();
    send(form, e.submitter);
  }, { capture: true });
  addEventListener('pageshow', (e) => { if (e.persisted) document.querySelectorAll('form[data-work]').forEach((f) => { delete f.dataset.paid; }); });
  document.addEventListener('tangkal:page', now);
  now();
}
