// A timeline that can be moved, zoomed, pointed at and walked through.
const MIN_WINDOW = 2000;
const timelines = new Set();

// What is shown, and how the mouse and the keys change that.
class Timeline extends Drawing {
  constructor(deployments, options = {}) {
    super();
    this.options = options;
    Object.assign(this, { from: 0, to: END, scrolled: 0, row: -1, item: null, hover: null, closed: new Set(), deployments, figures: options.figures || OF_PROCESSES });
    this.canvas = h('canvas', { 'aria-hidden': 'true' });
    this.spacer = h('div', {});
    this.lanesBox = h('div', { cls: 'lanes', tabindex: 0, role: 'group', 'aria-roledescription': 'timeline', 'aria-label': 'Timeline. Arrow keys move between lanes and what happened in them, plus and minus zoom, Enter opens a test, t shows a table.' }, this.canvas, this.spacer);
    this.inspect = h('div', { cls: 'inspect' });
    this.ctx = this.canvas.getContext('2d');
    this.lanesBox.addEventListener('scroll', () => this.paint(), { passive: true });
    this.lanesBox.addEventListener('keydown', (event) => this.key(event));
    this.pointer();
    this.layout();
    this.show(null);
    new ResizeObserver(() => this.resize()).observe(this.lanesBox);
    timelines.add(this);
  }
  layout() {
    const { lanes, height } = lanesOf(this.deployments, this.figures);
    this.all = lanes;
    this.total = height;
    this.fold();
  }
  fold() {
    this.lanes = this.all.filter((lane) => lane.type === 'head' || !this.closed.has(lane.group));
    let y = 0;
    for (const lane of this.lanes) { lane.y = y; y += lane.height; }
    this.total = y;
    this.resize();
  }
  resize() {
    const box = this.lanesBox;
    if (this.options.inset) box.style.height = `${Math.min(420, this.total + RULER + 6)}px`;
    const [width, height] = [box.clientWidth, box.clientHeight];
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.gutter = width < 640 ? 104 : 190;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.height = `${height}px`;
    this.spacer.style.height = `${Math.max(0, this.total + RULER + 8 - height)}px`;
    this.draw();
  }
  setWindow(from, to, quiet) {
    const width = Math.min(END, Math.max(MIN_WINDOW, to - from));
    from = Math.max(0, Math.min(END - width, from));
    this.from = from;
    this.to = from + width;
    this.paint();
    if (!quiet) this.options.moved?.();
  }
  zoom(factor, x = (this.gutter + this.width) / 2) {
    const at = this.timeAt(x);
    const width = Math.min(END, Math.max(MIN_WINDOW, (this.to - this.from) * factor));
    const share = (at - this.from) / (this.to - this.from);
    this.setWindow(at - width * share, at + width * (1 - share));
  }
  pan(share) {
    const by = (this.to - this.from) * share;
    this.setWindow(this.from + by, this.to + by);
  }
  paint() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  // What is at a point.
  laneAt(y) {
    const below = y + this.lanesBox.scrollTop - RULER;
    return y < RULER ? -1 : this.lanes.findIndex((lane) => below >= lane.y && below < lane.y + lane.height);
  }
  itemAt(x, y) {
    const lane = this.lanes[this.laneAt(y)];
    if (!lane || x < this.gutter) return null;
    if (lane.type === 'curve') return this.valueAt(lane, x);
    let best = null;
    let bestScore = Infinity;
    for (const item of this.visible(lane)) {
      const [a, b] = [this.x(item.a), this.x(item.b)];
      const away = x < a ? a - x : x > b ? x - b : 0;
      if (away > 5) continue;
      const point = ['mark', 'exit', 'operation'].includes(item.kind);
      const score = away * 4 + (point ? Math.min(b - a, 20) / 10 - 2 : Math.min(b - a, 5000) / 50);
      if (score < bestScore) { best = item; bestScore = score; }
    }
    return best;
  }
  valueAt(lane, x) {
    const when = this.timeAt(x);
    const { at, values } = lane.series;
    let near = 0;
    at.forEach((moment_, i) => { if (Math.abs(moment_ - when) < Math.abs(at[near] - when)) near = i; });
    const servers = D.deployments[lane.group].servers;
    const text = values.map((all, i) => (all[near] == null ? null : `${servers[i].name} ${curveValue(lane.figure, all[near])}`)).filter(Boolean).join(', ');
    return { kind: 'value', a: at[near], b: at[near], title: `${lane.label} at ${moment(at[near])}`, text };
  }
  show(item) {
    const when = (one) => (one.b - one.a >= 1 && one.kind !== 'value' ? `${moment(one.a)} to ${moment(one.b)}` : moment(one.b));
    if (!item) {
      this.inspect.replaceChildren(h('span', { cls: 'soft' }, this.options.inset ? 'Point at something to read it.' : 'Drag to move, Ctrl and the wheel to zoom, Shift and drag to choose a stretch. Point at something to read it.'));
      return;
    }
    const parts = [h('div', { cls: 'grow' },
      h('div', { cls: 'clip' }, h('span', { cls: `what ${item.tone === 'error' ? 'failed' : ''}` }, item.title), h('span', { cls: 'soft' }, `  ${when(item)}`)), h('div', {}, item.text || ' ')),
    item.test && !this.options.inset && h('button', { cls: 'button', type: 'button', onclick: () => this.zoomItem(item) }, 'Zoom to it'),
    item.test && item.test !== this.options.test && h('a', { cls: 'button', href: address('tests', item.test.name, item.attempt ? { attempt: item.attempt.no } : {}) }, 'Open test')];
    this.inspect.replaceChildren(...parts.filter(Boolean));
  }
  zoomItem(item) {
    const margin = Math.max(20e3, (item.b - item.a) * 0.15);
    this.setWindow(item.a - margin, item.b + margin);
  }
  pick(item, row) {
    this.item = item;
    if (row != null) this.row = row;
    this.show(item);
    if (item) say(`${item.title}, ${moment(item.a)}. ${item.text || ''}`);
    this.paint();
  }
  pointer() {
    const canvas = this.canvas;
    let down = null;
    const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button) return;
      const [x, y] = at(event);
      down = { x, y, from: this.from, to: this.to, top: this.lanesBox.scrollTop, choose: event.shiftKey || y < RULER, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', (event) => {
      const [x, y] = at(event);
      if (!down) {
        const item = this.itemAt(x, y);
        canvas.style.cursor = item || x < this.gutter ? 'pointer' : 'grab';
        if (item !== this.hover) { this.hover = item; this.show(item || this.item); }
        return;
      }
      if (Math.abs(x - down.x) + Math.abs(y - down.y) > 4) down.moved = true;
      if (!down.moved) return;
      if (down.choose) { this.band = [down.x, x]; this.paint(); return; }
      const by = ((down.x - x) / (this.width - this.gutter)) * (down.to - down.from);
      this.setWindow(down.from + by, down.to + by);
      if (event.pointerType !== 'touch') this.lanesBox.scrollTop = down.top + down.y - y;
    });
    const up = (event) => {
      if (!down) return;
      const [x, y] = at(event);
      const { choose, moved, x: x0 } = down;
      down = null;
      this.band = null;
      if (moved && choose && Math.abs(x - x0) > 6) { this.setWindow(this.timeAt(Math.min(x, x0)), this.timeAt(Math.max(x, x0))); return; }
      if (moved || event.type === 'pointercancel') { this.paint(); return; }
      const row = this.laneAt(y);
      if (x < this.gutter && this.lanes[row]?.type === 'head') this.toggle(this.lanes[row].group);
      else this.pick(this.itemAt(x, y), row);
    };
    canvas.addEventListener('pointerup', up);
    canvas.addEventListener('pointercancel', up);
    canvas.addEventListener('pointerleave', () => { this.hover = null; if (!down) this.show(this.item); });
    canvas.addEventListener('dblclick', (event) => { const item = this.itemAt(...at(event)); if (item && item.kind !== 'value') this.zoomItem(item); });
    canvas.addEventListener('wheel', (event) => {
      const [x] = at(event);
      if (event.ctrlKey || event.metaKey) { event.preventDefault(); this.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 100), Math.max(this.gutter, x)); }
      else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); this.pan((event.deltaX || event.deltaY) / (this.width - this.gutter)); }
    }, { passive: false });
  }
  toggle(group) {
    if (!this.closed.delete(group)) this.closed.add(group);
    this.fold();
  }
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      '+': () => this.zoom(0.6), '=': () => this.zoom(0.6), '-': () => this.zoom(1 / 0.6), 0: () => this.setWindow(0, END),
      ArrowDown: () => this.stepRow(1), ArrowUp: () => this.stepRow(-1), Home: () => this.stepRow(-1e9), End: () => this.stepRow(1e9),
      ArrowRight: () => (event.shiftKey ? this.pan(0.25) : this.stepItem(1)), ArrowLeft: () => (event.shiftKey ? this.pan(-0.25) : this.stepItem(-1)),
      Enter: () => {
        const lane = this.lanes[this.row];
        if (this.item?.test) location.hash = address('tests', this.item.test.name);
        else if (lane?.type === 'head') this.toggle(lane.group);
      },
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }
  stepRow(by) {
    this.row = Math.max(0, Math.min(this.lanes.length - 1, this.row + by));
    const lane = this.lanes[this.row];
    const top = this.lanesBox.scrollTop;
    if (lane.y < top) this.lanesBox.scrollTop = lane.y;
    if (lane.y + lane.height + RULER > top + this.height) this.lanesBox.scrollTop = lane.y + lane.height + RULER - this.height;
    this.item = null;
    this.show(null);
    say(`${lane.label || 'more tests'}: ${plural(this.visible(lane).length, 'thing')} in this window`);
    this.paint();
  }
  stepItem(by) {
    if (this.row < 0) { this.stepRow(1); return; }
    const lane = this.lanes[this.row];
    const items = lane.items;
    if (!items.length) return;
    let at = items.indexOf(this.item);
    if (at < 0) at = by > 0 ? items.findIndex((item) => item.b >= this.from) - 1 : items.findLastIndex((item) => item.a <= this.to) + 1;
    const item = items[Math.max(0, Math.min(items.length - 1, at + by))];
    if (item.b < this.from || item.a > this.to) { const half = (this.to - this.from) / 2; this.setWindow(item.a - half, item.a + half); }
    this.pick(item);
  }
}

