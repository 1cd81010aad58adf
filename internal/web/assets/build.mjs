// Builds everything third-party or compiled in ../static: run `npm ci`, then
// `npm run build` (all) or `npm run css` (the stylesheet alone, after a
// template named a new class). The output is committed, so that Go needs no
// Node; the scripts in ../static/js are written by hand and not touched.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'lightningcss';

const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.join(here, 'node_modules');
const out = path.join(here, '..', 'static');
const read = (...p) => fs.readFileSync(path.join(modules, ...p));
const write = (name, data) => {
  fs.mkdirSync(path.dirname(path.join(out, name)), { recursive: true });
  fs.writeFileSync(path.join(out, name), data);
};

// The kit's components that pages use; rules of all others are dropped.
const keep = new Set(['btn', 'input', 'textarea', 'label', 'command', 'command-dialog', 'dropdown-menu', 'tabs', 'active']);
const kit = () => {
  const names = new Set();
  for (const f of fs.readdirSync(path.join(modules, 'basecoat-css/dist/components'))) {
    for (const [, n] of read('basecoat-css/dist/components', f).toString().matchAll(/\.([a-z][a-z-]*)/g)) names.add(n);
    names.add(f.replace('.css', ''));
  }
  keep.forEach((n) => names.delete(n));
  // Words of ours or of Tailwind that happen to be names of the kit.
  for (const [, n] of fs.readFileSync(path.join(here, 'tangkal.css'), 'utf8').matchAll(/\.([a-z][a-z-]*)/g)) names.delete(n);
  ['sr-only', 'dialog'].forEach((n) => names.delete(n));
  return names;
};

// classes of a selector outside :not(), which only narrows a rule.
const classes = (selector) => selector.flatMap((c) => {
  if (c.type === 'class') return [c.name];
  if (c.type === 'pseudo-class' && c.kind !== 'not' && Array.isArray(c.selectors)) {
    return c.selectors.length === 1 ? c.selectors.flatMap(classes) : [];
  }
  return [];
});

// picture writes a drawing that the stylesheet holds as a data: address to a
// file of its own, for the content security policy loads pictures from files
// alone, and returns its versioned address (static.URL).
const picture = (address) => {
  const [, svg] = /^data:image\/svg\+xml;utf8,([\s\S]*)$/.exec(address) ?? [];
  if (!svg) return address;
  const data = decodeURIComponent(svg);
  const sum = createHash('sha256').update(data).digest('hex').slice(0, 12);
  write(`css-${sum}.svg`, data);
  return `css-${sum}.svg?v=${sum}`;
};

// Without script nobody puts .dark on the root for those who chose no theme:
// every dark rule of the source stands a second time, for a root that follows
// the device.
const device = 'html:not(.js)[data-theme="auto"]';
const followDevice = (source) => source.replace(/([^{};]*\.dark\b[^{};]*)\{([^{}]*)\}/g, (rule, selector, body) => {
  const again = selector.replace(/\/\*[\s\S]*?\*\//g, '').split(',').filter((s) => /(?<!:not\()\.dark\b/.test(s)).map((s) => s.trim().replace(/(html)?\.dark\b/, device));
  return again.length ? `${rule}\n@media (prefers-color-scheme: dark) { ${again.join(', ')} {${body}} }` : rule;
});

const css = () => {
  fs.readdirSync(out).filter((f) => /^css-.*\.svg$/.test(f)).forEach((f) => fs.rmSync(path.join(out, f)));
  const file = path.join(out, 'tangkal.css');
  const cli = path.join(modules, '@tailwindcss/cli/dist/index.mjs');
  const source = path.join(here, '.tangkal.css'); // beside the templates that it names
  fs.writeFileSync(source, followDevice(fs.readFileSync(path.join(here, 'tangkal.css'), 'utf8')));
  execFileSync(process.execPath, [cli, '-i', source, '-o', file], { stdio: ['ignore', 'ignore', 'inherit'], cwd: here });
  fs.rmSync(source);
  const drop = kit();
  const gone = (s) => classes(s).some((n) => drop.has(n));
  const { code } = transform({
    filename: 'tangkal.css',
    code: fs.readFileSync(file),
    minify: true,
    targets: { chrome: 111 << 16, firefox: 128 << 16, safari: (16 << 16) | (4 << 8) },
    visitor: {
      Selector: (selector) => (gone(selector) ? [] : selector),
      Url: (u) => ({ ...u, url: picture(u.url) }),
    },
  });
  fs.writeFileSync(file, code);
};

const fonts = [
  ['inter', 'Inter'],
  ['plus-jakarta-sans', 'PlusJakartaSans'],
  ['jetbrains-mono', 'JetBrainsMono'],
];
// latin covers Indonesian and English, latin-ext the names of many neighbours.
const faces = fonts.flatMap(([f]) => ['latin', 'latin-ext'].map((s) => `${f}-${s}-wght-normal.woff2`).map((n) => [f, n]));

const icons = () => {
  const names = fs.readFileSync(path.join(here, 'icons.txt'), 'utf8').split('\n').map((l) => l.trim()).filter((l) => l && !l.startsWith('#'));
  const body = (n) => read('lucide-static/icons', `${n}.svg`).toString()
    .replace(/<!--[\s\S]*?-->/g, '').replace(/^[\s\S]*?<svg[^>]*>/, '').replace(/<\/svg>\s*$/, '').replace(/\s+/g, ' ').replace(/ ?\/>\s*/g, '/>').trim();
  const symbols = [...new Set(names)].sort().map((n) => `<symbol id="i-${n}" viewBox="0 0 24 24">${body(n)}</symbol>`);
  return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join('\n')}\n</svg>\n`;
};

const petals = ['45 9.3 9.3', '45 22.7 22.7', '-45 22.7 9.3', '-45 9.3 22.7'];
const mark = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${petals.map((p, i) => {
  const [turn, x, y] = p.split(' ');
  return `<ellipse cx="${x}" cy="${y}" rx="8.2" ry="4.5" transform="rotate(${turn} ${x} ${y})" fill="${i < 2 ? '#0a8f96' : '#005b63'}"/>`;
}).join('')}</svg>\n`;

// The scripts name a source map that is not shipped.
const script = (...p) => read(...p).toString().replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n');

const parts = [
  ['htmx.min.js', 'htmx.org', '0BSD', () => script('htmx.org/dist/htmx.esm.min.js')],
  ...['basecoat', 'command', 'dropdown-menu', 'tabs'].map((n) => [`kit/${n}.min.js`, 'basecoat-css', 'MIT', () => script('basecoat-css/dist/js', `${n}.min.js`)]),
  ...faces.map(([f, n]) => [`fonts/${n}`, `@fontsource-variable/${f}`, 'OFL-1.1', () => read('@fontsource-variable', f, 'files', n)]),
  ['icons.svg', 'lucide-static', 'ISC', icons],
];
const texts = [
  ...fonts.map(([f, n]) => [`fonts/OFL-${n}.txt`, () => read('@fontsource-variable', f, 'LICENSE')]),
  ['licences/htmx.txt', () => read('htmx.org/LICENSE')],
  ['licences/basecoat.txt', () => read('basecoat-css/LICENSE.md')],
  ['licences/lucide.txt', () => read('lucide-static/LICENSE')],
  ['licences/tailwindcss.txt', () => read('tailwindcss/LICENSE')],
];

const version = (pkg) => JSON.parse(read(pkg, 'package.json')).version;
const licences = () => {
  const rows = parts.map(([file, pkg, licence]) => {
    const sum = createHash('sha256').update(fs.readFileSync(path.join(out, file))).digest('hex');
    return `| \`${file}\` | ${pkg} ${version(pkg)} | ${licence} | \`${sum}\` |`;
  });
  return `# Third-party files

Written by \`npm run build\` in \`internal/web/assets\`; the sums are of the files here. Licence texts are in \`licences/\` and beside
the fonts. \`tangkal.css\` is ours and holds compiled parts of Tailwind CSS ${version('tailwindcss')} (MIT) and of Basecoat ${version('basecoat-css')} (MIT). \`icons.svg\`
holds those Lucide icons that \`assets/icons.txt\` lists; part of them is derived from Feather (MIT, in the same text).

| File | From | Licence | SHA-256 |
|---|---|---|---|
${rows.join('\n')}
`;
};

if (process.argv[2] !== 'css') {
  for (const [file, , , make] of parts) write(file, make());
  for (const [file, make] of texts) write(file, make());
  write('mark.svg', mark);
  write('LICENCES.md', licences());
}
css();
