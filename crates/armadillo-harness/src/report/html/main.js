// Puts the parts together: the bar, the view that the address names, and the keys that work everywhere.
const VIEWS = { overview: 'Overview', tests: 'Tests', timeline: 'Timeline' };
const made = {};
let current = null;

function bar() {
  const [tone, headline] = verdictOf(D.run);
  const theme = h('button', { cls: 'button icon-button', type: 'button', id: 'theme', onclick: () => setTheme({ auto: 'light', light: 'dark', dark: 'auto' }[themeName()]) });
  byId('bar').append(
    h('h1', {}, h('span', { cls: 'clip' }, D.run.executable), h('span', { cls: `pill ${tone}` }, icon(tone), headline)),
    h('nav', { 'aria-label': 'Views' }, Object.entries(VIEWS).map(([view, text]) => h('a', { href: address(view), 'data-view': view }, text))),
    h('span', { cls: 'grow' }),
    h('span', { cls: 'soft wide mono' }, `run ${D.run.id}`), theme,
    h('button', { cls: 'button icon-button', type: 'button', 'aria-label': 'Keys', title: 'Keys (?)', onclick: help }, '?'));
  document.title = `${headline} · ${D.run.executable} · ${D.run.id}`;
}
function themeName() { return document.documentElement.dataset.theme || 'auto'; }
function setTheme(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  // A page from a file may have no memory.
  try { localStorage.setItem('armadillo-theme', name); } catch { /* then it is not kept */ }
  byId('theme').textContent = { auto: 'Auto', light: 'Light', dark: 'Dark' }[name];
  byId('theme').setAttribute('aria-label', `Colours: ${name}`);
  recolour();
}
function recolour() {
  readColours();
  for (const timeline of timelines) timeline.paint();
}
function help() {
  const keys = [['/', 'search tests'], ['1 2 3', 'overview, tests, timeline'], ['↑ ↓', 'move in the list; in the timeline, between lanes'], ['← →', 'in the timeline, between what is in a lane'],
    ['Enter', 'open'], ['Esc', 'back'], ['+ − 0', 'zoom in, out, whole run'], ['Shift ← →', 'move the window'], ['t', 'table of the timeline'], ['?', 'this list']];
  const dialog = h('dialog', { 'aria-labelledby': 'keys-title', onclose: () => dialog.remove() }, h('h2', { id: 'keys-title' }, 'Keys'),
    h('dl', {}, keys.map(([key, text]) => [h('dt', {}, key.split(' ').map((one) => h('kbd', {}, one))), h('dd', {}, text)])),
    h('form', { method: 'dialog' }, h('button', { cls: 'button', autofocus: true }, 'Close')));
  document.body.append(dialog);
  dialog.showModal();
}
function route() {
  const where = place();
  if (!VIEWS[where.view]) where.view = 'overview';
  if (!made[where.view]) {
    if (where.view === 'tests') made.tests = new TestsView();
    else if (where.view === 'timeline') made.timeline = new TimelineView();
    else made.overview = { root: overview(), show() {} };
  }
  for (const link of document.querySelectorAll('#bar nav a')) {
    if (link.dataset.view === where.view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const view = made[where.view];
  if (current !== view) {
    current = view;
    byId('main').replaceChildren(view.root);
    byId('main').scrollTop = 0;
  }
  view.show(where);
}
addEventListener('hashchange', route, { signal });
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  const typing = event.target.matches?.('input, textarea, select');
  if (event.key === 'Escape') { current?.escape?.(); return; }
  if (typing) return;
  if (event.key === '/') {
    event.preventDefault();
    if (place().view !== 'tests') { location.hash = address('tests'); route(); }
    else if (matchMedia('(max-width: 760px)').matches && place().subject) { location.hash = address('tests'); route(); }
    made.tests.search.focus();
    made.tests.search.select();
  } else if (event.key === '?') help();
  else if (['1', '2', '3'].includes(event.key)) location.hash = address(Object.keys(VIEWS)[event.key - 1]);
  else if (event.key === 't' && current === made.timeline) current.toggleTable();
}, { signal });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour, { signal });
// What a person has done to the page that no address has.
const SCROLLED = ['#main', '.list', '.detail', '.lanes', '.stream'];
function keep() {
  const state = { scrolled: SCROLLED.map((one) => document.querySelector(one)?.scrollTop), focus: document.activeElement?.id };
  if (made.tests) Object.assign(state, { words: made.tests.search.value, wanted: [...made.tests.wanted], order: made.tests.order });
  if (made.timeline) state.table = made.timeline.tableShown;
  return state;
}
function restore(state) {
  route();
  // After what the address says: it may be from before.
  if (state.words || state.wanted?.length || state.order) {
    made.tests ||= new TestsView();
    made.tests.search.value = state.words;
    made.tests.wanted = new Set(state.wanted.filter((status) => STATUSES.includes(status)));
    made.tests.sort.value = made.tests.order = state.order;
    made.tests.refresh(testAt.get(place().subject));
  }
  if (state.table && current === made.timeline) current.toggleTable();
  // The views lay themselves out in the next frame.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    SCROLLED.forEach((one, at) => { const box = document.querySelector(one); if (box && state.scrolled[at]) box.scrollTop = state.scrolled[at]; });
    if (state.focus) byId(state.focus)?.focus({ preventScroll: true });
  }));
}
let theme = 'auto';
try { theme = localStorage.getItem('armadillo-theme') || 'auto'; } catch { /* it is not kept */ }
bar();
setTheme(['light', 'dark'].includes(theme) ? theme : 'auto');
if (kept) restore(kept);
else route();
document.documentElement.dataset.ready = 'yes';
