// The texts that scripts need stand on the body, in the page's language.

const words = JSON.parse(document.body.dataset.words || '{}');

export function say(key, values = {}) {
  return Object.entries(values).reduce((s, [k, v]) => s.replaceAll(`{${k}}`, v), words[key] ?? '');
}

// span says a length of time as the server does: rounded down, in the one or
// two units that matter.
export function span(seconds) {
  const s = Math.floor(Math.abs(seconds));
  const m = Math.floor(s / 60);
  if (s < 60) return say('seconds', { n: s });
  if (m < 60) return say('minutes', { n: m });
  if (m >= 48 * 60) {
    const n = Math.floor(m / 1440);
    return say(n === 1 ? 'day' : 'days', { n });
  }
  if (m % 60 === 0 || m >= 1440) return say('hours', { n: Math.floor(m / 60) });
  return say('hm', { h: Math.floor(m / 60), m: String(m % 60).padStart(2, '0') });
}

export const each = (selector, run, root = document) => root.querySelectorAll(selector).forEach(run);
