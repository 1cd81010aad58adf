// What forms do beyond sending: keep answers over a change of language, show
// how an upload goes, grow by a row, ask for a typed word.
import { each, say } from './words.js';

const kept = () => `tangkal:form:${location.pathname}`;
const fields = (root) => [...root.querySelectorAll(':is(input, textarea, select)[name]')]
  .filter((f) => !['file', 'password', 'hidden', 'submit'].includes(f.type));
const answersIn = (root) => fields(root).map((f) => [f.name, f.value, f.checked === true]);

function put(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch { /* storage is off: the page comes back empty, as without script */ }
}

function take(key) {
  try {
    const value = JSON.parse(sessionStorage.getItem(key));
    sessionStorage.removeItem(key);
    return value;
  } catch { return null; }
}

// fill puts answers, as [name, value, checked] in the order of the fields, back.
export function fill(root, answers) {
  const waiting = fields(root);
  for (const [name, value, checked] of answers) {
    const i = waiting.findIndex((f) => f.name === name && (!['radio', 'checkbox'].includes(f.type) || f.value === value));
    if (i < 0) continue;
    const [f] = waiting.splice(i, 1);
    if (['radio', 'checkbox'].includes(f.type)) f.checked = checked;
    else f.value = value;
  }
}

// changed tells the page of an answer that a script has put, as the browser
// tells of one that a person gives.
export function changed(el) {
  for (const kind of ['input', 'change']) el.dispatchEvent(new Event(kind, { bubbles: true }));
}

const keepAnswers = () => put(kept(), answersIn(document.querySelector('main')));

function giveAnswersBack() {
  const answers = take(kept());
  if (answers) fill(document.querySelector('main'), answers);
}

// Long forms are guarded: data-guard is what their answers belong to, and their
// field "base" the version that the answers build on. Whoever does something
// else on the page (adds evidence, hands the case on) finds unsent answers
// again; whoever leaves is asked first. Answers to another version stay away.
const guard = { form: null, dirty: false, leaving: false };
const guardKey = () => `tangkal:unsent:${guard.form.dataset.guard}`;

function watch(e) {
  if (guard.form?.contains(e.target)) guard.dirty = true;
}

function leave(e) {
  if (!guard.form || e.defaultPrevented) return;
  guard.leaving = true;
  if (e.target.action.endsWith('/sign-out')) sessionStorage.clear();
  else if (guard.dirty && e.target !== guard.form) put(guardKey(), { base: guard.form.elements.base.value, answers: answersIn(guard.form) });
}

function startGuard() {
  guard.form = document.querySelector('form[data-guard]');
  if (!guard.form) return;
  guard.dirty = 'unsaved' in guard.form.dataset;
  for (const change of ['input', 'change']) document.addEventListener(change, watch);
  document.addEventListener('submit', leave);
  addEventListener('pageshow', () => { guard.leaving = false; });
  addEventListener('beforeunload', (e) => { if (guard.dirty && !guard.leaving) e.preventDefault(); });
  const unsent = take(guardKey());
  if (!unsent || unsent.base !== guard.form.elements.base.value) return;
  fill(guard.form, unsent.answers);
  guard.dirty = true;
  // The server counts what is missing once everything has loaded.
  addEventListener('load', () => changed(guard.form));
}

// size says bytes in decimal units.
function size(bytes) {
  const unit = bytes >= 1e6 ? ['MB', 1e6] : ['kB', 1e3];
  const digits = bytes >= 10 * unit[1] ? 0 : 1;
  return `${(bytes / unit[1]).toLocaleString(document.documentElement.lang, { maximumFractionDigits: digits })} ${unit[0]}`;
}

function showProgress(form) {
  const box = form.querySelector('[data-upload-progress]');
  const bar = box?.querySelector('progress');
  const text = box?.querySelector('[data-progress-text]');
  return {
    start() { if (box) box.hidden = false; },
    at(done, all) {
      if (bar) { bar.max = all; bar.value = done; }
      if (text) text.textContent = done < all ? say('uploading', { percent: Math.floor((done / all) * 100), done: size(done), all: size(all) }) : say('uploaded');
    },
    fail(word) { if (text) text.textContent = say(word); },
  };
}

// send posts a form with progress and shows the answer as the page it is: the
// address it led to where it led on, else the answered page in place.
function send(form, submitter, trusted) {
  const progress = showProgress(form);
  const request = new XMLHttpRequest();
  const fail = (word) => {
    progress.fail(word);
    form.removeAttribute('aria-busy');
    guard.leaving = false;
    if (submitter) submitter.disabled = false;
  };
  const body = new FormData(form, submitter ?? undefined);
  if (submitter) submitter.disabled = true;
  form.setAttribute('aria-busy', 'true');
  progress.start();
  request.open('POST', form.action);
  request.setRequestHeader('Accept', 'text/html');
  request.upload.addEventListener('progress', (e) => e.lengthComputable && progress.at(e.loaded, e.total));
  request.addEventListener('load', () => {
    if (request.status < 400 && request.responseURL && new URL(request.responseURL).href !== new URL(form.action).href) {
      location.assign(request.responseURL);
      return;
    }
    // The answer is a whole page of ours, errors beside their fields.
    const page = new DOMParser().parseFromString(trusted(request.responseText), 'text/html');
    document.title = page.title;
    document.querySelector('main').replaceWith(page.querySelector('main') ?? document.createElement('main'));
    document.dispatchEvent(new CustomEvent('tangkal:page'));
  });
  request.addEventListener('error', () => fail(navigator.onLine ? 'uploadfailed' : 'offline'));
  request.addEventListener('abort', () => fail('uploadfailed'));
  request.send(body);
}

const hasFiles = (form) => [...form.querySelectorAll('input[type="file"]')].some((f) => f.files.length > 0);

// addRow copies the template of the list that the button names.
function addRow(button) {
  const list = document.getElementById(button.dataset.addRow);
  const row = list?.querySelector('template')?.content.cloneNode(true);
  if (!row) return;
  const input = row.querySelector('input, textarea');
  list.append(row);
  input?.focus();
}

export function focusErrors() {
  document.querySelector('[data-focus]')?.focus();
}

export function startForms(trusted) {
  giveAnswersBack();
  startGuard();
  focusErrors();
  document.addEventListener('click', (e) => {
    if (e.target.closest('[data-lang]')) {
      keepAnswers();
      guard.leaving = true;
    }
    const add = e.target.closest('[data-add-row]');
    if (add) addRow(add);
    e.target.closest('[data-remove-row]')?.closest('[data-row-of-list]')?.remove();
    const all = e.target.closest('[data-all]');
    if (all) each('[data-row]', (b) => { b.checked = all.checked; }, all.closest('table'));
  });
  document.addEventListener('change', (e) => e.target.closest('table')?.querySelector('[data-all]') && selection(e.target.closest('table')));
  document.addEventListener('input', (e) => {
    const form = e.target.closest('form[data-type-word]');
    if (!form || !e.target.matches('[data-typed]')) return;
    form.querySelector('[data-submit]').disabled = e.target.value.trim() !== form.dataset.typeWord;
  });
  document.addEventListener('submit', (e) => {
    const form = e.target;
    if (!form.matches('form[data-upload]') || e.defaultPrevented || !hasFiles(form)) return;
    e.preventDefault();
    send(form, e.submitter, trusted);
  });
  each('form[data-type-word] [data-submit]', (b) => { b.disabled = true; });
  each('table:has([data-all])', selection);
}

// selection keeps marked rows, the box over them and the bar of bulk acts in
// step.
export function selection(table) {
  const boxes = [...table.querySelectorAll('[data-row]')];
  const n = boxes.filter((b) => b.checked).length;
  const all = table.querySelector('[data-all]');
  boxes.forEach((b) => b.closest('tr').setAttribute('aria-selected', b.checked));
  all.checked = n > 0 && n === boxes.length;
  all.indeterminate = n > 0 && n < boxes.length;
  each('[data-bulk]', (bar) => { bar.hidden = n === 0; });
  each('[data-bulk-count]', (el) => { el.textContent = n; });
}
