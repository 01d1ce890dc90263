// The tests: a list that can be searched and sorted, and one test with all there is to know about it.
const ORDERS = {
  status: ['worst first', (a, b) => STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status) || a.name.localeCompare(b.name)],
  slow: ['slowest first', (a, b) => b.total - a.total],
  start: ['by start', (a, b) => (a.from ?? Infinity) - (b.from ?? Infinity)],
  name: ['by name', (a, b) => a.name.localeCompare(b.name)],
};
// Every word must be somewhere in the name, a marker, the topology or the message.
function matches(test, words) {
  test.text ||= [test.name, ...test.markers, D.topologies[test.topology] || '', test.reason || '',
    ...test.attempts.map((attempt) => `${attempt.verdict} ${attempt.message || ''}`)].join('\n').toLowerCase();
  return words.every((word) => test.text.includes(word));
}

class TestsView {
  constructor() {
    this.wanted = new Set();
    this.order = 'status';
    this.cursor = -1;
    this.search = h('input', { type: 'search', id: 'search', placeholder: 'Search tests, markers, messages', 'aria-label': 'Search tests', 'aria-keyshortcuts': '/', autocomplete: 'off', spellcheck: 'false',
      oninput: () => this.refresh(),
      onkeydown: (event) => {
        if (event.key === 'ArrowDown' || event.key === 'Enter') { event.preventDefault(); this.list.focus(); if (this.cursor < 0) this.move(0); }
      } });
    this.sort = h('select', { 'aria-label': 'Order', onchange: () => { this.order = this.sort.value; this.refresh(); } },
      Object.entries(ORDERS).map(([value, [text]]) => h('option', { value }, text)));
    this.chips = h('div', { cls: 'chips', role: 'group', 'aria-label': 'Show only' },
      STATUSES.filter((status) => counts[status]).map((status) => h('button', { cls: 'chip', type: 'button', 'data-status': status, 'aria-pressed': 'false', onclick: () => this.toggle(status) },
        icon(status), label(status), h('span', { cls: 'soft' }, counts[status].toLocaleString('en')))));
    this.list = h('div', { cls: 'list', role: 'listbox', tabindex: 0, 'aria-label': 'Tests', onkeydown: (event) => this.key(event) });
    this.rows = new Rows(this.list, 30, (at) => this.row(at));
    this.detail = h('div', { cls: 'detail', tabindex: -1, role: 'region', 'aria-label': 'Test' });
    this.root = h('div', { cls: 'split' },
      h('div', { cls: 'side' }, h('div', { cls: 'tools' }, this.search, this.sort), this.chips, this.list), this.detail);
    this.shown = [];
    this.open = null;
  }
  show(where) {
    if (where.query.has('q') || where.query.has('show')) {
      this.search.value = where.query.get('q') || '';
      this.wanted = new Set((where.query.get('show') || '').split(',').filter((status) => STATUSES.includes(status)));
    }
    if (ORDERS[where.query.get('order')]) this.sort.value = this.order = where.query.get('order');
    const at = where.subject == null ? undefined : testAt.get(where.subject);
    this.root.classList.toggle('open', at !== undefined);
    this.refresh(at);
    const attempt = Number(where.query.get('attempt')) || 0;
    if (where.subject != null && at === undefined) {
      this.detail.replaceChildren(h('p', { cls: 'empty' }, `There is no test ${where.subject} in this run.`));
    } else if (at === undefined) {
      this.open = null;
      const hint = this.shown.length ? 'Choose a test. Arrow keys move, Enter opens, / searches.' : 'No test matches.';
      this.detail.replaceChildren(h('p', { cls: 'empty' }, hint));
    } else if (this.open !== `${at}/${attempt}`) {
      this.open = `${at}/${attempt}`;
      this.detail.replaceChildren(testPage(D.tests[at], attempt));
      this.detail.scrollTop = 0;
      say(`${D.tests[at].name}: ${label(D.tests[at].status)}`);
    }
  }
  toggle(status) {
    if (!this.wanted.delete(status)) this.wanted.add(status);
    this.refresh();
  }
  refresh(reveal) {
    for (const chip of this.chips.children) chip.setAttribute('aria-pressed', String(this.wanted.has(chip.dataset.status)));
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const key = `${words.join(' ')}|${[...this.wanted].join()}|${this.order}`;
    if (key !== this.key_) {
      this.key_ = key;
      this.shown = D.tests.filter((test) => (!this.wanted.size || this.wanted.has(test.status)) && matches(test, words)).sort(ORDERS[this.order][1]);
      this.cursor = -1;
      this.list.scrollTop = 0;
      this.list.setAttribute('aria-label', `${plural(this.shown.length, 'test')}${this.shown.length < D.tests.length ? ` of ${D.tests.length}` : ''}`);
      if (words.length) say(plural(this.shown.length, 'test'));
    }
    if (reveal !== undefined) this.cursor = this.shown.findIndex((test) => test.at === reveal);
    this.rows.show(this.shown.length);
    if (this.cursor >= 0) { this.rows.reveal(this.cursor); this.mark(); }
  }
  row(at) {
    const test = this.shown[at];
    return h('div', { cls: 'row', role: 'option', id: `t${test.at}`, 'aria-selected': String(at === this.cursor), 'aria-posinset': at + 1, 'aria-setsize': this.shown.length, title: test.name,
      'aria-label': `${test.name}, ${label(test.status)}${test.total ? `, ${time(test.total)}` : ''}`,
      onclick: () => { location.hash = address('tests', test.name); } },
    icon(test.status), h('span', { cls: 'name' }, h('bdi', {}, named(test.name))), h('span', { cls: 'time' }, test.attempts.length ? time(test.total) : ''));
  }
  mark() {
    const test = this.shown[this.cursor];
    for (const [at, row] of this.rows.pool) row.setAttribute('aria-selected', String(at === this.cursor));
    if (test) this.list.setAttribute('aria-activedescendant', `t${test.at}`);
    else this.list.removeAttribute('aria-activedescendant');
  }
  move(to) {
    if (!this.shown.length) return;
    this.cursor = Math.max(0, Math.min(this.shown.length - 1, to));
    this.rows.reveal(this.cursor);
    this.mark();
  }
  key(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / 30) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9, j: 1, k: -1 };
    if (event.key in steps && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.move((this.cursor < 0 && steps[event.key] > 0 ? -1 : this.cursor) + steps[event.key]);
    } else if (event.key === 'Enter' && this.shown[this.cursor]) {
      event.preventDefault();
      location.hash = address('tests', this.shown[this.cursor].name);
      requestAnimationFrame(() => requestAnimationFrame(() => this.detail.focus()));
    }
  }
  escape() {
    if (document.activeElement === this.search && this.search.value) {
      this.search.value = '';
      this.refresh();
    } else if (this.detail.contains(document.activeElement) || this.root.classList.contains('open')) {
      if (matchMedia('(max-width: 760px)').matches) location.hash = address('tests');
      this.list.focus();
    }
  }
}

// One test.
function testPage(test, wanted) {
  const attempts = test.attempts;
  const attempt = attempts.find((one) => one.no === wanted) || attempts[attempts.length - 1];
  const parts = [h('div', {},
    h('a', { cls: 'button back', href: address('tests') }, 'All tests'),
    h('h2', {}, named(test.name)),
    h('div', { cls: 'meta' },
      h('span', { cls: `pill ${test.status}` }, icon(test.status), label(test.status)),
      test.total ? h('span', {}, time(test.total)) : null,
      test.place ? h('code', {}, test.place) : null,
      test.topology != null ? h('span', {}, D.topologies[test.topology]) : null,
      test.markers.map((marker) => h('span', { cls: 'tag' }, marker))))];
  if (test.reason) parts.push(h('p', {}, `${test.status === 'ignored' ? 'Ignored' : 'Skipped'}: ${test.reason}`));
  if (test.status === 'ignored' && !test.reason) parts.push(h('p', {}, 'Ignored, without a reason.'));
  if (test.status === 'not_run') parts.push(h('p', {}, D.run.live ? 'This test has not begun yet.' : 'The run ended before this test began.'));
  if (test.retries) parts.push(h('p', {}, h('span', { cls: 'soft' }, 'Retries: '), test.retries));
  if (attempts.length > 1) {
    parts.push(h('div', { cls: 'links', role: 'group', 'aria-label': 'Attempts' }, attempts.map((one) => h('a', {
      cls: 'button', href: address('tests', test.name, { attempt: one.no }), 'aria-current': one === attempt ? 'true' : null, 'aria-pressed': String(one === attempt), role: 'button' },
    `Attempt ${one.no}: ${one.verdict}`))));
  }
  if (attempt) parts.push(...attemptParts(test, attempt));
  else if (test.again) parts.push(section('Run it again', command(test.again)));
  return h('article', {}, parts);
}
const section = (title, ...children) => h('section', {}, h('h3', {}, title), children);
const command = (text) => h('div', { cls: 'command' }, h('code', {}, text), copyButton(text));

function attemptParts(test, attempt) {
  const parts = [];
  if (attempt.message || !['passed', 'skipped', 'running'].includes(attempt.verdict)) {
    parts.push(h('div', { cls: `message ${attempt.verdict === 'inconclusive' ? 'inconclusive' : ''}`, 'data-part': 'message' },
      h('pre', {}, h('span', { cls: 'kind' }, attempt.verdict), attempt.message ? `: ${attempt.message}` : ''),
      attempt.traces ? h('pre', { cls: 'trace' }, attempt.traces.join('\n')) : null));
  }
  if (test.again) parts.push(section('Run it again', command(test.again)));
  parts.push(section('Time', phaseBar(attempt)));
  if (attempt.deployments) {
    parts.push(section([attempt.deployments.length === 1 ? 'On its deployment' : `On its ${attempt.deployments.length} deployments`, h('a', { href: zoomTo(attempt) }, 'show in the timeline')], insetTimeline(test, attempt)));
    parts.push(section('What happened there, on one clock', stream(attempt)));
  }
  const company = [['Shared with', attempt.shared_with], ['Used before by', attempt.before]].filter(([, names]) => names);
  if (company.length) {
    parts.push(h('section', { 'data-part': 'company' }, company.map(([title, names]) => [h('h3', {}, title),
      h('div', { cls: 'links' }, names.map((name) => (testAt.has(name) ? testLink(D.tests[testAt.get(name)], name) : h('span', { cls: 'soft' }, name))))])));
  }
  if (attempt.output || attempt.printed) {
    const all = attempt.printed && attempt.files ? h('a', { href: fileLink(`${attempt.files}/output`) }, `all ${bytes(attempt.printed)}`) : null;
    const text = attempt.output ? h('pre', { cls: 'text', tabindex: 0, 'data-part': 'output' }, attempt.output)
      : h('p', { cls: 'soft' }, 'Left out of this page to keep it small.');
    parts.push(section(['Output', all], text));
  }
  for (const log of attempt.logs || []) {
    const all = attempt.files ? h('a', { href: fileLink(`${attempt.files}/server-logs/${log.server}`) }, `all ${plural(log.of, 'line')}`) : null;
    parts.push(h('section', { 'data-part': 'log' }, h('details', { open: attempt.logs.length <= 3 }, h('summary', {}, 'Log of ', h('b', {}, log.server), ' ', all),
      log.lines.length ? h('pre', { cls: 'text', tabindex: 0 }, log.lines.join('\n')) : h('p', { cls: 'soft' }, 'Left out of this page to keep it small.'))));
  }
  if (attempt.files) {
    const names = ['', 'output', 'server-logs/', 'leaders.jsonl', 'attachments/', 'crashes/'];
    parts.push(h('section', { 'data-part': 'files' }, h('h3', {}, 'Files of this test', h('span', { cls: 'soft' }, 'if they lie beside this page')),
      h('div', { cls: 'links' }, names.map((name) => h('a', { href: fileLink(`${attempt.files}/${name}`) }, name || attempt.files)))));
  }
  return parts;
}
// A path below the run's directory; a name may have any character.
function fileLink(path) {
  const safe = path.split('/').map(encodeURIComponent).join('/');
  return path.startsWith('/') ? `file://${safe}` : `./${safe}`;
}
function phaseBar(attempt) {
  const [setUp, body, tearDown] = attempt.phases;
  const waited = attempt.waited || 0;
  const ran = attempt.to - attempt.from;
  const rest = Math.max(0, ran - setUp - body - tearDown);
  const parts = [['p-wait', 'waited for its deployment', waited], ['p-set', 'set-up', setUp], ['p-body', 'body', body], ['p-tear', 'tear-down', tearDown], ['', 'between', rest]];
  const sum = parts.reduce((total, [, , us]) => total + us, 0) || 1;
  return h('div', {},
    h('div', { cls: 'phases', 'aria-hidden': 'true' }, parts.filter(([, , us]) => us).map(([cls, , us]) => h('i', { cls, style: { flex: `${us / sum} 1 0` } }))),
    h('div', { cls: 'legend' }, parts.filter(([, , us]) => us).map(([cls, text, us]) => h('span', {}, h('i', { cls, style: cls ? {} : { background: 'var(--hair)' } }), `${text} ${time(us)}`)),
      h('span', {}, `from ${moment(attempt.from)} to ${moment(attempt.to)}`),
      attempt.worker != null ? h('span', {}, `worker ${attempt.worker}`) : null,
      attempt.isolation ? h('span', {}, `for itself: ${attempt.isolation.replace('_', ' ')}`) : null));
}
// The window of a test: a little more than its time.
function windowOf(attempt) {
  const start = attempt.from - (attempt.waited || 0);
  const margin = Math.max(50e3, (attempt.to - start) * 0.12);
  return [Math.max(0, start - margin), Math.min(END, attempt.to + margin)];
}
function zoomTo(attempt) {
  const [from, to] = windowOf(attempt);
  return address('timeline', null, { from: Math.round(from / 1000), to: Math.ceil(to / 1000), at: `${(attempt.deployments || [])[0] ?? ''}` });
}
// The time at which a server says that it logged a line, on the run's clock; nothing if it does not say, or by another clock.
function loggedAt(line, near) {
  const found = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\s/.exec(line);
  if (!found) return null;
  const [, hours, minutes, seconds, fraction] = found;
  const ofDay = ((+hours * 60 + +minutes) * 60 + +seconds) * 1e6 + +(fraction || '').padEnd(6, '0');
  const day = 864e8;
  const nearOfDay = (D.run.epoch + near) % day;
  let apart = ofDay - nearOfDay;
  apart -= Math.round(apart / day) * day;
  return Math.abs(apart) > 18e8 ? null : near + apart;
}
const MOST_LINES = 400;
function stream(attempt) {
  const [from, to] = windowOf(attempt);
  const lines = [];
  const put = (at, tone, who, text, quiet) => lines.push({ at, tone, who, text, quiet: quiet && !tone });
  const excerpts = new Set((attempt.logs || []).map((log) => log.server));
  for (const deployment of attempt.deployments) {
    for (const item of happenings(deployment)) {
      if (item.title === 'logged' && excerpts.has(item.server)) continue;
      if (item.at >= from && item.at <= to) put(item.at, item.tone, item.server || '', item.title + (item.text ? `: ${item.text}` : ''));
    }
  }
  for (const log of attempt.logs || []) {
    let last = null;
    for (const line of log.lines) {
      const at = loggedAt(line, attempt.to);
      if (at != null) last = at;
      const tone = / (ERROR|FATAL) /.test(line) ? 'error' : / WARN(ING)? /.test(line) ? 'warn' : '';
      if (last != null) put(last, tone, log.server, at == null ? line : line.replace(/^\S+\s/, ''), true);
    }
  }
  for (const [lane, text, from, to, tone] of attempt.shown || []) put(from, tone === 'bad' ? 'error' : tone === 'doubtful' ? 'warn' : '', lane, `${text}${to > from ? `, for ${time(to - from)}` : ''}`, to > from);
  put(attempt.from, 'edge', '', 'the test begins');
  if (attempt.verdict !== 'running') put(attempt.to, 'edge', '', `the test ends: ${attempt.verdict}`);
  lines.sort((a, b) => a.at - b.at);
  // If it is too much, the quiet lines go first, then the early ones.
  const loud = lines.length > MOST_LINES ? lines.filter((line) => !line.quiet) : lines;
  const shown = loud.slice(-MOST_LINES);
  const left = lines.length - shown.length;
  return h('div', {}, h('div', { cls: 'stream', tabindex: 0, 'data-part': 'stream' }, h('table', {},
    h('thead', { cls: 'unseen' }, h('tr', {}, ['after its start', 'server', 'what'].map((title) => h('th', { scope: 'col' }, title)))),
    h('tbody', {}, shown.map((line) => h('tr', { cls: line.tone === 'edge' ? 'edge' : null },
      h('td', { cls: 'num soft', title: moment(line.at) }, `${line.at < attempt.from ? '−' : '+'}${(Math.abs(line.at - attempt.from) / 1e6).toFixed(3)}`),
      h('td', {}, line.who), h('td', { cls: line.tone ? `t-${line.tone}` : null }, line.text)))))),
  left > 0 ? h('p', { cls: 'soft' }, `${plural(left, 'quieter or earlier line')} left out here; the timeline has all.`) : null);
}
