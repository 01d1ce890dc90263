// Where timelines are shown: on the page of a test, and as a view of their own.

// A test's deployments in its time.
function insetTimeline(test, attempt) {
  const timeline = new Timeline(attempt.deployments, { inset: true, test, figures: [], edges: [attempt.from, attempt.to] });
  timeline.setWindow(...windowOf(attempt), true);
  for (const lane of timeline.lanes) for (const item of lane.items) if (item.attempt === attempt && !item.shown) timeline.item = item;
  timeline.show(timeline.item);
  for (const known of timelines) if (known.options.inset && known !== timeline) timelines.delete(known);
  return h('div', { cls: 'timeline inset', 'data-part': 'inset' }, timeline.lanesBox, timeline.inspect);
}

class TimelineView {
  constructor() {
    this.order = D.deployments.map((_, at) => at).sort((a, b) => D.deployments[a].from - D.deployments[b].from);
    const loose = D.tests.some((test) => test.attempts.some((attempt) => !attempt.deployments));
    if (loose || !this.order.length || D.marks.length || D.warnings.length) this.order.push(null);
    const button = (text, title, onclick) => h('button', { cls: 'button icon-button', type: 'button', title, 'aria-label': title, onclick }, text);
    this.where = h('span', { cls: 'soft', 'data-part': 'window' });
    this.tableButton = h('button', { cls: 'button', type: 'button', 'aria-pressed': 'false', id: 'as-table', onclick: () => this.toggleTable() }, 'Table');
    const figures = [...new Set(D.deployments.flatMap((one) => one.curves.map((curve) => curve.figure)))];
    this.curves = h('select', { 'aria-label': 'Curves', onchange: () => { this.lanes.figures = { some: OF_PROCESSES, all: figures, none: [] }[this.curves.value]; this.lanes.layout(); } },
      [['some', 'CPU, memory, traffic'], ['all', 'all curves'], ['none', 'no curves']].map(([value, text]) => h('option', { value }, text)));
    this.lanes = new Timeline(this.order, { moved: () => this.moved(), drawn: () => this.drawMini() });
    this.mini = h('canvas', { cls: 'mini', 'aria-hidden': 'true' });
    this.body = this.lanes.lanesBox;
    this.root = h('div', { cls: 'timeline' },
      h('div', { cls: 'tools' }, button('−', 'Zoom out (−)', () => this.lanes.zoom(1 / 0.6)), button('+', 'Zoom in (+)', () => this.lanes.zoom(0.6)), button('⟷', 'Whole run (0)', () => this.lanes.setWindow(0, END)),
        this.where, h('span', { cls: 'grow' }), figures.length ? this.curves : null, this.tableButton),
      this.mini, this.body, this.lanes.inspect);
    this.miniPointer();
    new ResizeObserver(() => this.drawMini()).observe(this.mini);
  }
  show(where) {
    const number = (name) => (where.query.get(name) ? Number(where.query.get(name)) : NaN);
    const [from, to] = [number('from') * 1000, number('to') * 1000];
    if (to > from) this.lanes.setWindow(from, to, true);
    const at = number('at');
    if (Number.isInteger(at)) {
      const lane = this.lanes.lanes.find((one) => one.type === 'head' && one.group === at);
      requestAnimationFrame(() => { this.lanes.resize(); if (lane) this.scrollTo(lane.y); });
    }
    this.moved(true);
    requestAnimationFrame(() => this.lanes.resize());
  }
  moved(quiet) {
    const { from, to } = this.lanes;
    this.where.textContent = `${moment(from)} – ${moment(to)}  (${time(Math.round(to - from))})`;
    if (this.tableShown) this.fillTable();
    if (quiet) return;
    clearTimeout(this.later);
    this.later = setTimeout(() => replaceAddress(address('timeline', null, { from: Math.floor(from / 1000), to: Math.ceil(to / 1000) })), 250);
  }
  // How many tests ran, over the whole run, and which part of it is shown.
  drawMini() {
    const [width, height] = [this.mini.clientWidth, this.mini.clientHeight];
    if (!width) return;
    const ratio = devicePixelRatio || 1;
    const key = `${width}/${ratio}/${colours.card}`;
    if (this.miniKey !== key) {
      this.miniKey = key;
      this.mini.width = Math.round(width * ratio);
      this.mini.height = Math.round(height * ratio);
      this.back = this.miniBack(width, height, ratio);
    }
    const ctx = this.mini.getContext('2d');
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.drawImage(this.back, 0, 0);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { from, to } = this.lanes;
    const [a, b] = [(from / END) * width, (to / END) * width];
    ctx.fillStyle = colours.bg;
    ctx.globalAlpha = 0.7;
    ctx.fillRect(0, 0, a, height);
    ctx.fillRect(b, 0, width - b, height);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = colours.accent;
    ctx.strokeRect(a + 0.5, 0.5, Math.max(2, b - a - 1), height - 1);
  }
  miniBack(width, height, ratio) {
    const back = h('canvas', { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    const ctx = back.getContext('2d');
    ctx.scale(ratio, ratio);
    ctx.fillStyle = colours.card;
    ctx.fillRect(0, 0, width, height);
    const load = new Float64Array(Math.ceil(width) + 1);
    const failed = new Set();
    for (const test of D.tests) {
      for (const attempt of test.attempts) {
        const [a, b] = [(attempt.from / END) * width, (attempt.to / END) * width];
        for (let x = Math.floor(a); x <= Math.min(width, b); x += 1) load[x] += Math.max(0, Math.min(b, x + 1) - Math.max(a, x));
        if (!['passed', 'skipped', 'running'].includes(attempt.verdict)) failed.add(Math.round(b));
      }
    }
    const most = Math.max(1, ...load);
    ctx.fillStyle = colours.passed;
    ctx.globalAlpha = 0.45;
    load.forEach((value, x) => ctx.fillRect(x, height - (value / most) * (height - 8), 1, height));
    ctx.globalAlpha = 1;
    ctx.fillStyle = colours.failed;
    for (const x of failed) ctx.fillRect(x - 1, 0, 2, height);
    return back;
  }
  miniPointer() {
    const go = (event) => {
      const box = this.mini.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * END;
      const half = (this.lanes.to - this.lanes.from) / 2;
      this.lanes.setWindow(at - half, at + half);
    };
    let down = false;
    this.mini.addEventListener('pointerdown', (event) => { down = true; this.mini.setPointerCapture(event.pointerId); if (this.lanes.to - this.lanes.from > END * 0.9) this.lanes.zoom(0.2); go(event); });
    this.mini.addEventListener('pointermove', (event) => { if (down) go(event); });
    this.mini.addEventListener('pointerup', () => { down = false; });
    this.mini.addEventListener('pointercancel', () => { down = false; });
  }
  // The same as a table, for those who read with other means than their eyes.
  toggleTable() {
    this.tableShown = !this.tableShown;
    this.tableButton.setAttribute('aria-pressed', String(this.tableShown));
    if (this.tableShown && !this.table) {
      const head = h('div', { cls: 'line head', role: 'row' }, ['At', 'Took', 'Where', 'Server', 'What'].map((title) => h('span', { role: 'columnheader' }, title)));
      this.table = h('div', { cls: 'grid-table', role: 'table', tabindex: 0, 'aria-label': 'What happened in this stretch of time' }, head);
      this.rows = new Rows(this.table, 26, (at) => this.line(at), 26);
    }
    if (this.tableShown) this.top = this.lanes.lanesBox.scrollTop;
    this.body.replaceWith(this.tableShown ? this.table : this.lanes.lanesBox);
    this.body = this.tableShown ? this.table : this.lanes.lanesBox;
    this.lanes.inspect.hidden = this.tableShown;
    if (this.tableShown) this.fillTable();
    else {
      this.lanes.resize();
      this.scrollTo(this.top);
    }
    this.body.focus();
  }
  // The lanes are at their top again when the table has been in their place: until they are back, it is noted where they were.
  scrollTo(top) {
    this.top = top;
    this.lanes.lanesBox.scrollTop = top;
  }
  everything() {
    if (this.every) return this.every;
    const every = [];
    D.deployments.forEach((one, at) => { for (const item of happenings(at)) every.push({ at: item.from ?? item.at, took: item.from != null ? item.at - item.from : null, where: D.topologies[one.topology], server: item.server || '', what: item.title, text: item.text, tone: item.tone }); });
    for (const test of D.tests) {
      for (const attempt of test.attempts) {
        for (const [lane, text, from, to, tone] of attempt.shown || []) every.push({ at: from, took: to - from, where: test.name, server: lane, what: text, text: '', tone: tone === 'bad' ? 'error' : tone === 'doubtful' ? 'warn' : '' });
        every.push({ at: attempt.from, took: attempt.to - attempt.from, where: (attempt.deployments || []).map((at) => D.topologies[D.deployments[at].topology]).join(' + '), server: '', what: test.name, text: attempt.verdict, test, tone: test.status === 'failed' ? 'error' : '' });
      }
    }
    for (const mark of D.marks) every.push({ at: mark.at, took: null, where: 'run', server: '', what: mark.what, text: mark.text, tone: mark.tone });
    for (const [at, text] of D.warnings) every.push({ at, took: null, where: 'run', server: '', what: 'warning', text, tone: 'warn' });
    this.every = every.sort((a, b) => a.at - b.at);
    return this.every;
  }
  fillTable() {
    const { from, to } = this.lanes;
    this.inWindow = this.everything().filter((one) => one.at <= to && one.at + (one.took || 0) >= from);
    this.table.setAttribute('aria-rowcount', this.inWindow.length + 1);
    this.rows.show(this.inWindow.length);
  }
  line(at) {
    const one = this.inWindow[at];
    return h('div', { cls: 'line', role: 'row', 'aria-rowindex': at + 2 },
      h('span', { role: 'cell' }, moment(one.at)), h('span', { role: 'cell', cls: 'soft' }, one.took ? time(one.took) : ''), h('span', { role: 'cell', cls: 'soft' }, one.where), h('span', { role: 'cell' }, one.server),
      h('span', { role: 'cell', cls: one.tone ? `t-${one.tone}` : null, title: one.text || null }, one.test ? testLink(one.test, one.what) : one.what, one.text ? `: ${one.text}` : ''));
  }
  escape() { if (this.tableShown) this.toggleTable(); }
}
