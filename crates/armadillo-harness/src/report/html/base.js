// What every view needs: elements, times, places in the page.
const byId = (id) => document.getElementById(id);
const END = Math.max(1, D.run.duration);
const STATUSES = ['failed', 'inconclusive', ...(D.run.live ? ['running'] : []), 'flaky', 'passed', 'skipped', 'ignored', 'not_run'];
const LABEL = { not_run: D.run.live ? 'waiting' : 'not run' };
const label = (status) => LABEL[status] || status;
const counts = Object.fromEntries(STATUSES.map((status) => [status, 0]));
const testAt = new Map();
D.tests.forEach((test, at) => {
  test.at = at;
  test.attempts ||= [];
  test.markers ||= [];
  const last = test.attempts[test.attempts.length - 1];
  test.from = test.attempts.length ? test.attempts[0].from : null;
  test.total = test.attempts.reduce((sum, attempt) => sum + attempt.to - attempt.from, 0);
  test.leaked = !!last && last.verdict === 'leaked';
  testAt.set(test.name, at);
  counts[test.status] += 1;
});

// What a server logged was told a little later than it was logged.
for (const deployment of D.deployments) {
  for (const mark of deployment.marks) if (mark.time) mark.at = Math.min(mark.at, Math.max(0, Math.round(loggedAt(`${mark.time} `, mark.at) ?? mark.at)));
}

// An element. Texts are texts: nothing of the data is ever read as HTML.
function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value == null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style') Object.assign(element.style, value);
    else element.setAttribute(name === 'cls' ? 'class' : name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}
const SVG = 'http://www.w3.org/2000/svg';
function icon(status) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', `icon ${status}`);
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${status}`);
  svg.append(use);
  return svg;
}
// A test's name: the path is softer than the name itself.
function named(name) {
  const cut = name.lastIndexOf('::') + 2;
  return cut < 2 ? [name] : [h('span', { cls: 'path' }, name.slice(0, cut)), name.slice(cut)];
}
function say(text) { byId('say').textContent = text; }
const plural = (count, word) => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;

// Microseconds as a person reads them.
function time(us) {
  if (us == null) return '';
  if (us < 0) return `-${time(-us)}`;
  if (us < 1000) return us === 0 ? '0 s' : `${us} µs`;
  if (us < 1e6) return us < 1e5 ? `${(us / 1000).toFixed(1)} ms` : `${Math.round(us / 1000)} ms`;
  if (us < 60e6) return `${(us / 1e6).toFixed(2)} s`;
  const seconds = Math.round(us / 1e6);
  const rest = String(seconds % 60).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${rest} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor(seconds / 60) % 60).padStart(2, '0')} min`;
}
// A moment of the run, as digits that line up.
function moment(us) {
  const seconds = us / 1e6;
  if (seconds < 60) return `${seconds.toFixed(3)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - minutes * 60).toFixed(3).padStart(6, '0')}`;
}
function bytes(count) {
  if (count < 1024) return `${Math.round(count)} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let at = -1;
  while (count >= 1024 && at < 3) { count /= 1024; at += 1; }
  return `${count.toFixed(count < 10 ? 1 : 0)} ${units[at]}`;
}

// Where the page is: `#/view/subject?key=value`. Every test and every stretch of time has an address.
function place() {
  const [path, query] = location.hash.slice(1).split('?');
  const parts = path.split('/').slice(1);
  let subject = null;
  try { subject = parts[1] ? decodeURIComponent(parts[1]) : null; } catch { /* no address of ours */ }
  return { view: parts[0] || 'overview', subject, query: new URLSearchParams(query || '') };
}
function address(view, subject, query) {
  const text = new URLSearchParams(query || {}).toString();
  return `#/${view}${subject ? `/${encodeURIComponent(subject)}` : ''}${text ? `?${text}` : ''}`;
}
function replaceAddress(hash) {
  if (location.hash !== hash) history.replaceState(null, '', hash);
}
const testLink = (test, ...inside) => h('a', { href: address('tests', test.name) }, ...inside);

// The colours of the scheme in force, for the canvas, which knows no variables.
const colours = {};
function readColours() {
  const probe = h('i', { hidden: true });
  document.body.append(probe);
  for (const name of ['bg', 'card', 'sunk', 'line', 'hair', 'text', 'soft', 'accent', 'accent-bg', 'passed', 'failed', 'flaky', 'inconclusive', 'skipped', 'ignored', 'not_run', 'running']) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  colours.dark = matchesDark();
}
function matchesDark() {
  const forced = document.documentElement.dataset.theme;
  return forced ? forced === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}
// A hue for each server of a deployment, the same in every lane.
const HUES = [212, 28, 158, 322, 268, 88, 190, 350];
const serverColour = (at, alpha = 1) => {
  const hue = HUES[at % HUES.length];
  return colours.dark ? `hsl(${hue} 48% 62% / ${alpha})` : `hsl(${hue} 46% 46% / ${alpha})`;
};

function copyButton(text) {
  const button = h('button', { cls: 'button', type: 'button', onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // From a file some browsers allow only the old way.
      const area = h('textarea', { cls: 'unseen' });
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
    button.textContent = 'Copied';
    say('Copied');
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  } }, 'Copy');
  return button;
}

// A list of which only the rows that can be seen are elements.
class Rows {
  constructor(box, height, fill, top = 0) {
    Object.assign(this, { box, height, fill, top, count: 0, pool: new Map() });
    this.inner = h('div', { cls: 'fill', role: 'presentation' });
    box.append(this.inner);
    box.addEventListener('scroll', () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(box);
  }
  show(count) {
    this.count = count;
    this.inner.style.height = `${count * this.height}px`;
    for (const row of this.pool.values()) row.remove();
    this.pool.clear();
    this.draw();
  }
  draw() {
    const { box, height, pool } = this;
    const first = Math.max(0, Math.floor((box.scrollTop - this.top) / height) - 4);
    const last = Math.min(this.count, Math.ceil((box.scrollTop + box.clientHeight) / height) + 4);
    for (const [at, row] of pool) {
      if (at < first || at >= last) { row.remove(); pool.delete(at); }
    }
    for (let at = first; at < last; at += 1) {
      if (pool.has(at)) continue;
      const row = this.fill(at);
      row.style.transform = `translateY(${at * height}px)`;
      this.inner.append(row);
      pool.set(at, row);
    }
  }
  reveal(at) {
    const { box, height } = this;
    const y = at * height + this.top;
    if (y < box.scrollTop + this.top) box.scrollTop = y - this.top;
    else if (y + height > box.scrollTop + box.clientHeight) box.scrollTop = y + height - box.clientHeight;
    this.draw();
  }
}
