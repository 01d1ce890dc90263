// The timeline: lanes on a canvas, of which only what can be seen is drawn.
const RULER = 24;
const FACE = 'ui-sans-serif, system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';
const [PLAIN, BOLD, SMALL] = [`12px ${FACE}`, `600 12px ${FACE}`, `10.5px ${FACE}`];

const fitted = new Map();

// How a stretch of time looks. What is shown, a timeline says.
class Drawing {
  x(us) { return this.gutter + ((us - this.from) / (this.to - this.from)) * (this.width - this.gutter); }
  timeAt(x) { return this.from + ((x - this.gutter) / (this.width - this.gutter)) * (this.to - this.from); }

  // Everything that can be seen.
  draw() {
    const { ctx, width, height, gutter } = this;
    if (!width) return;
    const ratio = this.canvas.width / width;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.fillStyle = colours.card;
    ctx.fillRect(0, 0, width, height);
    ctx.font = PLAIN;
    ctx.textBaseline = 'middle';
    const top = this.lanesBox.scrollTop - RULER;
    const first = this.lanes.findIndex((lane) => lane.y + lane.height > top);
    const seen = [];
    for (let at = Math.max(0, first); at < this.lanes.length && this.lanes[at].y - top < height; at += 1) seen.push(at);
    for (const at of seen) {
      const lane = this.lanes[at];
      if (lane.type === 'head') { ctx.fillStyle = colours.sunk; ctx.fillRect(0, lane.y - top, width, lane.height); }
      if (at === this.row) { ctx.fillStyle = colours['accent-bg']; ctx.fillRect(0, lane.y - top, width, lane.height); }
    }
    ctx.save();
    ctx.beginPath();
    ctx.rect(gutter, RULER, width - gutter, height - RULER);
    ctx.clip();
    this.drawGrid();
    for (const at of seen) this.drawLane(this.lanes[at], this.lanes[at].y - top);
    if (this.options.edges) {
      ctx.fillStyle = colours.accent;
      for (const edge of this.options.edges) ctx.fillRect(Math.round(this.x(edge)), RULER, 1, height);
    }
    ctx.restore();
    for (const at of seen) this.drawLabel(this.lanes[at], this.lanes[at].y - top);
    this.drawRuler();
    if (this.band) {
      ctx.fillStyle = serverColour(0, 0.2);
      ctx.fillRect(Math.min(...this.band), RULER, Math.abs(this.band[0] - this.band[1]), height);
    }
    this.options.drawn?.();
  }
  ticks() {
    const step = (this.to - this.from) / Math.max(2, (this.width - this.gutter) / 96);
    const unit = 10 ** Math.floor(Math.log10(step));
    const seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400].map((s) => s * 1e6);
    const size = step > 5e5 ? seconds.find((s) => s >= step) || unit * 10 : [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= step);
    const ticks = [];
    for (let at = Math.ceil(this.from / size) * size; at <= this.to; at += size) ticks.push(at);
    return { ticks, size };
  }
  drawGrid() {
    this.ctx.fillStyle = colours.hair;
    for (const at of this.ticks().ticks) this.ctx.fillRect(Math.round(this.x(at)), RULER, 1, this.height);
  }
  drawRuler() {
    const { ctx, width } = this;
    ctx.fillStyle = colours.card;
    ctx.fillRect(0, 0, width, RULER);
    ctx.fillStyle = colours.line;
    ctx.fillRect(0, RULER - 1, width, 1);
    ctx.fillRect(this.gutter, RULER, 1, this.height);
    ctx.fillStyle = colours.soft;
    ctx.textAlign = 'left';
    const { ticks, size } = this.ticks();
    const digits = size >= 1e6 ? 0 : size >= 1e5 ? 1 : size >= 1e4 ? 2 : size >= 1e3 ? 3 : 4;
    for (const at of ticks) {
      const x = this.x(at);
      if (x > width - 46) continue;
      const seconds = at / 1e6;
      const text = this.to < 120e6 ? `${seconds.toFixed(digits)} s` : `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, '0')}`;
      ctx.fillText(text, x + 4, RULER / 2);
      ctx.fillRect(Math.round(x), RULER - 6, 1, 5);
    }
  }
  drawLabel(lane, y) {
    const { ctx, gutter, width } = this;
    const head = lane.type === 'head';
    const middle = head ? y + 13 : y + lane.height / 2;
    ctx.textAlign = 'left';
    if (!head) { ctx.fillStyle = lane === this.lanes[this.row] ? colours['accent-bg'] : colours.card; ctx.fillRect(0, y, gutter, lane.height); }
    if (head) {
      ctx.fillStyle = colours.soft;
      ctx.beginPath();
      const shut = this.closed.has(lane.group);
      if (shut) { ctx.moveTo(9, middle - 4); ctx.lineTo(14, middle); ctx.lineTo(9, middle + 4); } else { ctx.moveTo(8, middle - 2); ctx.lineTo(12, middle + 3); ctx.lineTo(16, middle - 2); }
      ctx.fill();
      ctx.font = BOLD;
    }
    ctx.fillStyle = head ? colours.text : colours.soft;
    const left = 22;
    if (lane.type === 'server') { ctx.fillStyle = serverColour(lane.colour); ctx.fillRect(11, middle - 4, 4, 8); ctx.fillStyle = colours.text; }
    const room = gutter - left - 8;
    const text = this.fit(lane.label, head ? width - left - 8 : room);
    ctx.fillText(text, left, lane.type === 'curve' ? middle - 8 : middle);
    if (head) {
      const after = left + ctx.measureText(text).width + 12;
      ctx.font = PLAIN;
      ctx.fillStyle = colours.soft;
      if (lane.sub) ctx.fillText(this.fit(lane.sub, width - after - 8), after, middle);
    }
    if (lane.type === 'curve' && lane.most) ctx.fillText(this.fit(`up to ${curveValue(lane.figure, lane.most)}`, room), left, middle + 7);
    if (head || lane.type === 'curve') { ctx.fillStyle = colours.hair; ctx.fillRect(0, y + lane.height - 1, width, 1); }
  }
  // As much of a text as there is room for. Measuring is slow, and most is the same in the next frame.
  fit(text, room) {
    const { ctx } = this;
    const key = `${ctx.font.length}/${Math.floor(room)}/${text}`;
    if (fitted.has(key)) return fitted.get(key);
    let [low, high] = [0, text.length];
    if (ctx.measureText(text).width <= room) low = high;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (ctx.measureText(`${text.slice(0, middle)}…`).width <= room) low = middle; else high = middle - 1;
    }
    const shown = low === text.length ? text : low ? `${text.slice(0, low)}…` : '';
    if (fitted.size > 5000) fitted.clear();
    fitted.set(key, shown);
    return shown;
  }
  // The items of a lane that reach into the window.
  visible(lane) {
    const { items } = lane;
    let [low, high] = [0, items.length];
    const earliest = this.from - lane.longest;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (items[middle].a < earliest) low = middle + 1; else high = middle;
    }
    const found = [];
    for (let at = low; at < items.length && items[at].a <= this.to; at += 1) if (items[at].b >= this.from) found.push(items[at]);
    return found;
  }
  drawLane(lane, y) {
    if (lane.type === 'curve') { this.drawCurve(lane, y); return; }
    const items = this.visible(lane);
    if (lane.type === 'test' || lane.type === 'shown') { this.drawTests(items, y, lane.height); return; }
    const later = [];
    for (const item of items) {
      if (['mark', 'exit', 'operation'].includes(item.kind)) later.push(item); else this.drawItem(item, y, lane.height);
    }
    let lastX = -9;
    for (const item of later) {
      const x = this.x(item.b);
      // Marks that fall on one another are drawn once, but never in place of a grave one.
      if (item.kind === 'mark' && x - lastX < 1.5 && item.tone !== 'error' && item !== this.item) continue;
      if (item.kind === 'mark') lastX = x;
      this.drawMark(item, y, lane.height);
    }
  }
  span(item, least = 1) {
    const a = Math.max(this.gutter - 2, this.x(item.a));
    const b = Math.min(this.width + 2, this.x(item.b));
    return [a, Math.max(least, b - a)];
  }
  drawTests(items, y, height) {
    const { ctx } = this;
    let lastX = -1;
    let lastTone = '';
    for (const item of items) {
      const [a, b] = [Math.max(this.gutter - 2, this.x(item.from)), Math.min(this.width + 2, this.x(item.to))];
      if (item.lease) {
        const granted = this.x(item.lease.from);
        const start = this.x(item.a);
        if (granted - start > 1) {
          ctx.fillStyle = colours.soft;
          ctx.globalAlpha = 0.55;
          const left = Math.max(this.gutter - 2, start);
          for (let x = left - ((left - start) % 5); x < Math.min(granted, this.width); x += 5) ctx.fillRect(x, y + height / 2 - 0.5, 3, 1);
          ctx.globalAlpha = 1;
        }
        const end = this.x(item.b);
        if (end - granted > 2) {
          ctx.strokeStyle = item.lease.mode === 'shared' ? colours.line : colours.soft;
          ctx.strokeRect(Math.max(-9, granted) + 0.5, y + 1.5, Math.min(this.width + 9, end) - Math.max(-9, granted) - 1, height - 3);
        }
      }
      const pixel = Math.round(a);
      if (b - a < 1.5 && pixel === lastX && (item.tone === lastTone || item.tone === 'passed') && item !== this.item) continue;
      lastX = pixel;
      lastTone = item.tone;
      ctx.fillStyle = colours[item.tone] || colours.soft;
      // Dark writing on a pale bar, light writing on a strong one: both can be read.
      const pale = item.tone === 'passed' || item.tone === 'soft' || item.tone === 'skipped';
      ctx.globalAlpha = pale ? 0.45 : 0.95;
      const gap = b - a > 4 ? 1 : 0;
      ctx.fillRect(a, y + 2, Math.max(1.5, b - a - gap), height - 4);
      ctx.globalAlpha = 1;
      if (b - a > 54) {
        ctx.fillStyle = pale ? colours.text : colours.card;
        ctx.font = SMALL;
        const name = item.shown ? item.title : item.title.split('::').pop();
        ctx.textAlign = 'left';
        ctx.fillText(this.fit(name, b - a - 10), a + 5, y + height / 2 + 0.5);
        ctx.font = PLAIN;
      }
      if (item === this.item) this.outline(a, y, b - a, height);
    }
  }
  outline(x, y, width, height) {
    this.ctx.strokeStyle = colours.accent;
    this.ctx.lineWidth = 2;
    this.ctx.strokeRect(x - 1, y + 1, Math.max(4, width) + 2, height - 2);
    this.ctx.lineWidth = 1;
  }
  stripes(x, y, width, height, colour) {
    const { ctx } = this;
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, width, height);
    ctx.clip();
    ctx.strokeStyle = colour;
    ctx.beginPath();
    for (let at = x - height; at < x + width; at += 5) { ctx.moveTo(at, y + height); ctx.lineTo(at + height, y); }
    ctx.stroke();
    ctx.restore();
  }
  drawItem(item, y, height) {
    const { ctx } = this;
    const [a, w] = this.span(item);
    const middle = height > 30 ? y + 28 : y + height / 2;
    if (item.kind === 'start') {
      this.stripes(a, middle - 4, w, 8, item.tone ? colours.failed : colours.soft);
    } else if (item.kind === 'life') {
      ctx.fillStyle = colours.soft;
      ctx.globalAlpha = 0.45;
      ctx.fillRect(a, middle - 1.5, w, 3);
      ctx.globalAlpha = 1;
      if (item.open) this.openEnd(a + w, middle, 6);
    } else if (item.kind === 'repair') {
      ctx.fillStyle = colours.flaky;
      ctx.fillRect(a, middle - 3, Math.max(2, w), 6);
    } else if (item.kind === 'leader') {
      this.drawLeader(item, y, height);
    } else if (item.kind === 'process') {
      ctx.fillStyle = serverColour(item.colour, 0.35);
      const ready = Math.max(a, Math.min(a + w, this.x(item.ready)));
      ctx.fillRect(a, y + 6, ready - a, height - 12);
      ctx.fillStyle = serverColour(item.colour, 0.85);
      ctx.fillRect(ready, y + 5, a + w - ready, height - 10);
      ctx.fillStyle = colours.card;
      for (const [when, stage] of item.stages) if (stage !== 'started' && this.x(when) - a > 3) ctx.fillRect(this.x(when), y + 5, 1, height - 10);
      if (item.open) this.openEnd(a + w, middle, height - 10);
    } else if (item.kind === 'down') {
      ctx.fillStyle = item.tone ? colours.failed : colours.soft;
      ctx.globalAlpha = 0.6;
      for (let x = a - ((a - this.x(item.a)) % 6); x < a + w; x += 6) ctx.fillRect(x, middle - 0.5, 3, 1);
      ctx.globalAlpha = 1;
    } else if (item.kind === 'paused') {
      ctx.fillStyle = colours.card;
      ctx.globalAlpha = 0.6;
      ctx.fillRect(a, y + 5, w, height - 10);
      ctx.globalAlpha = 1;
      this.stripes(a, y + 5, w, height - 10, colours.text);
    }
    if (item === this.item) this.outline(a, y, w, height);
  }
  openEnd(x, middle, height) {
    this.ctx.fillStyle = colours.card;
    for (let at = 2; at <= 14; at += 6) this.ctx.fillRect(x - at, middle - height / 2, 3, height);
  }
  // Who led is known between two looks that agree; between two that differ, the change lies somewhere.
  drawLeader(item, y, height) {
    const { ctx } = this;
    const clamp = (x) => Math.max(this.gutter - 20, Math.min(this.width + 20, x));
    const [after, seen, until] = [clamp(this.x(item.a)), clamp(this.x(item.seen)), clamp(this.x(item.until))];
    const colour = (alpha) => (item.colour < 0 ? colours.hair : serverColour(item.colour, alpha));
    ctx.fillStyle = colour(0.45);
    if (until > seen) ctx.fillRect(seen, y + 3, until - seen, height - 6);
    if (seen - after > 0.5) {
      const fade = ctx.createLinearGradient(after, 0, seen, 0);
      fade.addColorStop(0, item.colour < 0 ? 'transparent' : colour(0));
      fade.addColorStop(1, colour(0.45));
      ctx.fillStyle = fade;
      ctx.fillRect(after, y + 3, seen - after, height - 6);
      if (seen - after > 6) this.stripes(after, y + 3, seen - after, height - 6, colours.card);
    }
    ctx.fillStyle = colours.card;
    ctx.fillRect(seen, y + 3, 1, height - 6);
    const shown = Math.max(seen, this.gutter);
    if (until - shown > 40) {
      ctx.fillStyle = item.colour < 0 ? colours.soft : colours.text;
      ctx.font = SMALL;
      ctx.textAlign = 'left';
      ctx.fillText(this.fit(item.short, until - shown - 10), shown + 5, y + height / 2 + 0.5);
      ctx.font = PLAIN;
    }
  }
  drawMark(item, y, height) {
    const { ctx } = this;
    const x = this.x(item.b);
    const from = this.x(item.a);
    const colour = item.tone === 'error' ? colours.failed : item.tone === 'warn' ? colours.flaky : colours.text;
    ctx.fillStyle = ctx.strokeStyle = colour;
    const middle = y + height / 2;
    if (item.kind === 'exit') {
      ctx.lineWidth = 2;
      ctx.beginPath();
      if (item.tone) { ctx.moveTo(x - 4, middle - 4); ctx.lineTo(x + 4, middle + 4); ctx.moveTo(x + 4, middle - 4); ctx.lineTo(x - 4, middle + 4); } else { ctx.moveTo(x, y + 3); ctx.lineTo(x, y + height - 3); }
      ctx.stroke();
      ctx.lineWidth = 1;
    } else if (item.kind === 'operation') {
      // Ordered at the left end, seen at the right.
      ctx.fillRect(from, y + 1.5, Math.max(1, x - from), 1.5);
      ctx.fillRect(from, y + 1.5, 1, 5);
      ctx.beginPath();
      ctx.moveTo(x, y - 0.5); ctx.lineTo(x + 3.5, y + 3); ctx.lineTo(x, y + 6.5); ctx.lineTo(x - 3.5, y + 3);
      ctx.fill();
    } else if (item.tone) {
      if (x - from > 2) ctx.fillRect(from, y + height - 3, x - from, 1);
      ctx.beginPath();
      ctx.moveTo(x, y + height - 8); ctx.lineTo(x + 4, y + height - 1); ctx.lineTo(x - 4, y + height - 1);
      ctx.fill();
    } else {
      if (x - from > 2) ctx.fillRect(from, y + height - 3, x - from, 1);
      ctx.beginPath();
      ctx.arc(x, y + height - 4, 2, 0, 7);
      ctx.fill();
    }
    if (item === this.item) this.outline(Math.min(from, x - 4), y, Math.max(8, x - from), height);
  }
  drawCurve(lane, y) {
    const { ctx } = this;
    const { at, values } = lane.series;
    let first = at.findIndex((when) => when >= this.from) - 1;
    if (first < 0) first = at[0] >= this.from ? 0 : at.length;
    let last = first;
    while (last < at.length - 1 && at[last] < this.to) last += 1;
    let most = 0;
    for (const all of values) for (let i = first; i <= last; i += 1) most = Math.max(most, all[i] || 0);
    lane.most = most;
    if (!most) return;
    values.forEach((all, server) => {
      ctx.strokeStyle = serverColour(server);
      ctx.beginPath();
      let pen = false;
      for (let i = first; i <= last; i += 1) {
        if (all[i] == null) { pen = false; continue; }
        const [x, dy] = [this.x(at[i]), y + 36 - (all[i] / most) * 31];
        if (pen) ctx.lineTo(x, dy); else ctx.moveTo(x, dy);
        pen = true;
      }
      ctx.stroke();
    });
  }
}
