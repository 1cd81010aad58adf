// The one Trusted Types policy of these pages (the content security policy
// names it), handed to htmx, and the refusal of text as code.

const own = new URL('/static/js/', location.href).href;

const refuse = () => {
  throw new TypeError('text is never run as a script here');
};

const rules = {
  // Fragments come from our own origin only (htmx mode same-origin), where
  // every value was escaped by the template that wrote it.
  createHTML: (html) => html,
  createScript: refuse,
  createScriptURL: (url) => {
    if (new URL(url, location.href).href.startsWith(own)) return url;
    throw new TypeError('scripts come from this site alone');
  },
};

export const policy = globalThis.trustedTypes?.createPolicy('tangkal', rules) ?? rules;

// htmx calls these where an attribute holds an expression; none of ours does.
function NoFunction() {
  return refuse;
}

export function secureHtmx() {
  globalThis.htmx?.registerExtension('tangkal', {
    init: (api) => api.initSecurity(policy, NoFunction, NoFunction),
  });
}
