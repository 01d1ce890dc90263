// What the timeline shows: lanes, and in each what happened there. Nothing here draws.
const WORDS = { process_cpu: 'CPU', process_memory: 'memory', requests: 'requests', writes: 'writes', process_threads: 'threads', process_descriptors: 'descriptors' };
const OF_PROCESSES = ['process_cpu', 'process_memory', 'requests', 'writes'];
const isWord = (what, word) => what === word || what.startsWith(`${word} `);

// The moments of a deployment and its servers, in order of time.
const happeningsOf = [];
function happenings(at) {
  if (happeningsOf[at]) return happeningsOf[at];
  const one = D.deployments[at];
  const list = [];
  const put = (when, title, more) => { if (when != null) list.push({ at: when, title, tone: '', ...more }); };
  put(one.from, 'deployment starts', { text: one.id });
  put(one.ready, 'deployment ready', { text: one.took != null ? `after ${time(one.took)}` : '' });
  if (one.failed) put(one.stopped ?? one.from, 'deployment failed to start', { text: one.failed, tone: 'error' });
  if (one.recycled) put(one.recycled[0], 'deployment replaced', { text: one.recycled[1], tone: 'warn' });
  put(one.stopped, 'deployment stopped', { text: one.complaints.join('; '), tone: one.complaints.length ? 'warn' : '' });
  for (const [from, to, what] of one.repairs) put(to, 'repaired', { from, text: what });
  for (const server of one.servers) {
    for (const process of server.processes) {
      put(process.from, 'started', { server: server.name, text: process.pid ? `process ${process.pid}` : '' });
      for (const [when, stage] of process.stages) if (stage !== 'started') put(when, stage, { server: server.name, text: `after ${time(when - process.from)}` });
      const exit = process.exit;
      if (exit) {
        put(exit.at, exit.expected ? 'ended' : 'crashed', { server: server.name, tone: exit.expected ? '' : 'error', text: [exit.how, ...(exit.log || []).slice(-3)].join('\n') });
      }
    }
    for (const [what, ordered, seen, failed] of server.operations) {
      put(ordered, `${what} ordered`, { server: server.name });
      put(seen, failed ? `${what} failed` : `${what} seen`, { from: ordered, server: server.name, tone: failed ? 'error' : '', text: failed || `after ${time(seen - ordered)}` });
    }
  }
  for (const operation of one.operations || []) {
    put(operation.from, `${operation.name} begins`, {});
    put(operation.to, operation.name, { from: operation.from, tone: operation.failed ? 'error' : '', text: operation.outcome });
    for (const step of operation.steps) put(step.to, step.what, { from: step.from, server: step.server, tone: step.failed ? 'error' : '', text: step.outcome });
  }
  for (const group of one.leaders) for (const entry of group.entries) put(entry.seen, leaderText(group, entry), { server: entry.leader || '', text: uncertain(entry) });
  for (const mark of one.marks) put(mark.at, mark.what, { from: mark.from, server: mark.server, tone: mark.tone || '', text: mark.text });
  list.sort((a, b) => a.at - b.at);
  happeningsOf[at] = list;
  return list;
}
const leaderText = (group, entry) => `${group.name}: ${entry.leader ? `${entry.leader} leads` : 'no leader'}${entry.term != null ? ` in term ${entry.term}` : ''}`;
const uncertain = (entry) => (entry.after != null ? `between ${moment(entry.after)} and ${moment(entry.seen)}` : `seen at ${moment(entry.seen)}`);

// A figure of a deployment's servers; of a total, what was added in a second.
function seriesOf(one, figure) {
  const curve = one.curves.find((known) => known.figure === figure);
  if (!curve || one.sampled.length < 2) return null;
  if (!curve.total) return { at: one.sampled, values: curve.values };
  const at = one.sampled.slice(1);
  const values = curve.values.map((all) => at.map((now, i) => {
    const seconds = (now - one.sampled[i]) / 1e6;
    const [before, after] = [all[i], all[i + 1]];
    // A total that became smaller began again at zero.
    return seconds > 0 && before != null && after != null ? Math.max(0, after >= before ? after - before : after) / seconds : null;
  }));
  return { at, values, perSecond: true };
}
const curveValue = (figure, value) => (figure === 'process_cpu' ? `${(value * 100).toFixed(0)} %` : figure.includes('memory') ? bytes(value) : value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1));

// What tests showed of themselves, by lane, with the first deployment that they ran on.
const TONES = { good: 'passed', doubtful: 'flaky', bad: 'failed', plain: 'soft' };
function shownOn(deployment) {
  const lanes = new Map();
  for (const test of D.tests) {
    for (const attempt of test.attempts) {
      if (!attempt.shown || (attempt.deployments || [null])[0] !== deployment) continue;
      for (const [lane, text, from, to, tone] of attempt.shown) {
        if (!lanes.has(lane)) lanes.set(lane, []);
        lanes.get(lane).push({ kind: 'test', a: from, b: to, from, to, tone: TONES[tone], test, attempt, shown: true, title: text, text: `${lane}, for ${time(to - from)}; shown by ${test.name}` });
      }
    }
  }
  return lanes;
}

// The attempts that ran on a deployment, or on none, packed into as few lanes as they fit.
function attemptItems(deployment) {
  const items = [];
  const leases = new Map();
  if (deployment != null) {
    for (const lease of D.deployments[deployment].leases) {
      if (!leases.has(lease.test)) leases.set(lease.test, []);
      leases.get(lease.test).push(lease);
    }
  }
  for (const test of D.tests) {
    for (const attempt of test.attempts) {
      const on = attempt.deployments || [];
      if (deployment == null ? on.length : !on.includes(deployment)) continue;
      const lease = (leases.get(test.at) || []).find((one) => one.from <= attempt.from + 1000 && (one.to == null || one.to >= attempt.from));
      if (lease) lease.used = true;
      const passed = attempt.verdict === 'passed';
      const tone = passed ? (test.status === 'flaky' ? 'flaky' : 'passed') : ['skipped', 'inconclusive', 'running'].includes(attempt.verdict) ? attempt.verdict : 'failed';
      const mode = lease && lease.mode !== 'shared' ? `, ${lease.mode}` : '';
      const waited = lease && lease.waited ? `, waited ${time(lease.waited)}` : '';
      items.push({ kind: 'test', a: lease ? Math.min(lease.from - lease.waited, attempt.from) : attempt.from, b: Math.max(attempt.to, lease?.to ?? 0), from: attempt.from, to: attempt.to, lease, tone, test, attempt,
        title: test.name, text: `${attempt.verdict}${attempt.message ? `: ${attempt.message.split('\n')[0]}` : ''}; ran ${time(attempt.to - attempt.from)}${waited}${mode}` });
    }
  }
  for (const [test, all] of leases) {
    for (const lease of all) {
      if (!lease.used) items.push({ kind: 'test', a: lease.from - lease.waited, b: lease.to ?? END, from: lease.from, to: lease.from, lease, tone: 'skipped', test: D.tests[test], title: D.tests[test].name, text: `a lease, ${lease.mode}; no test ran with it` });
    }
  }
  return packed(items);
}
// Into as few lanes as there are things at once.
function packed(items) {
  items.sort((a, b) => a.a - b.a);
  const ends = [];
  const lanes = [];
  for (const item of items) {
    let at = ends.findIndex((end) => end <= item.a);
    if (at < 0) { at = ends.length; lanes.push([]); }
    ends[at] = item.b;
    lanes[at].push(item);
  }
  return lanes;
}

// All lanes of these deployments (`null`: what concerns none).
function lanesOf(deployments, figures) {
  const lanes = [];
  const put = (type, height, label, items, more) => {
    items.sort((a, b) => a.a - b.a);
    // How far before the window something may begin that reaches into it.
    let longest = 0;
    for (const item of items) longest = Math.max(longest, item.b - item.a);
    lanes.push({ type, height, label, items, longest, ...more });
  };
  for (const at of deployments) {
    const one = at == null ? null : D.deployments[at];
    if (one) {
      deploymentLanes(one, at, put);
    } else {
      const workers = D.workers.map((worker) => ({ kind: 'mark', tone: '', a: worker.from, b: worker.from, title: `worker ${worker.no} starts`, text: worker.pid ? `process ${worker.pid}` : '' }));
      const ends = D.workers.filter((worker) => worker.to != null && worker.why !== 'end of run').map((worker) => ({ kind: 'mark', tone: 'warn', a: worker.to, b: worker.to, title: `worker ${worker.no} ends`, text: worker.why }));
      const warnings = D.warnings.map(([when, text]) => ({ kind: 'mark', tone: 'warn', a: when, b: when, title: 'warning', text }));
      put('head', 38, 'Without a deployment', [...markItems(D.marks), ...workers, ...ends, ...warnings], { group: 'none' });
    }
    for (const [label, items] of shownOn(at)) packed(items).forEach((lane, no) => put('shown', 15, no ? '' : label, lane, { group: at ?? 'none' }));
    attemptItems(at).forEach((items, no) => put('test', 15, no ? '' : 'tests', items, { group: at ?? 'none' }));
    if (!one) continue;
    for (const figure of figures) {
      const series = seriesOf(one, figure);
      if (series && series.values.some((all) => all.some((value) => value))) put('curve', 40, `${WORDS[figure] || figure}${series.perSecond && figure !== 'process_cpu' ? '/s' : ''}`, [], { group: at, series, figure });
    }
  }
  let y = 0;
  for (const lane of lanes) { lane.y = y; y += lane.height; }
  return { lanes, height: y };
}
const markItems = (marks) => marks.map((mark) => ({ kind: 'mark', tone: mark.tone || '', a: mark.from ?? mark.at, b: mark.at, title: mark.what, text: mark.text || '' }));

// Operations on the whole, and below each lane of them their steps.
function operationLanes(one, end) {
  const bar = (name, from, to, tone, text) => ({ kind: 'step', a: from, b: to, from, to, tone, shown: true, title: name, text });
  const operations = (one.operations || []).map((operation) => {
    const to = operation.to ?? end;
    const item = bar(operation.name, operation.from, to, operation.failed ? 'failed' : 'accent', `${operation.outcome}, after ${time(to - operation.from)}`);
    return Object.assign(item, { steps: operation.steps });
  });
  return packed(operations).flatMap((items, no) => [[no ? '' : 'operations', items],
    ['', items.flatMap(({ steps }) => steps).map((step) => bar(`${step.what}${step.server && !step.what.includes(step.server) ? ` ${step.server}` : ''}`, step.from, step.to, step.failed ? 'failed' : 'soft', `${step.outcome}, after ${time(step.to - step.from)}`))]]);
}
function deploymentLanes(one, at, put) {
  const end = one.stopped ?? END;
  const named = new Set(one.servers.map((server) => server.name));
  const life = [{ kind: 'start', a: one.from, b: one.ready ?? end, title: one.failed ? 'failed to start' : 'starting', text: one.failed || (one.took != null ? `ready after ${time(one.took)}` : 'never ready'), tone: one.failed ? 'error' : '' }];
  if (one.ready != null) life.push({ kind: 'life', a: one.ready, b: end, open: one.stopped == null, title: 'serves', text: one.stopped == null ? 'its end is not in the events' : one.complaints.join('; ') });
  for (const [from, to, what] of one.repairs) life.push({ kind: 'repair', a: from, b: to, title: 'repaired', text: `${what}, in ${time(to - from)}` });
  if (one.recycled) life.push({ kind: 'mark', tone: 'warn', a: one.recycled[0], b: one.recycled[0], title: 'replaced', text: one.recycled[1] });
  put('head', 38, D.topologies[one.topology], [...life, ...markItems(one.marks.filter((mark) => !named.has(mark.server)))], { group: at, sub: one.id });
  const servers = one.servers.map((server) => server.name);
  for (const group of one.leaders) {
    const items = group.entries.map((entry, no) => {
      const next = group.entries[no + 1];
      return { kind: 'leader', a: entry.after ?? entry.seen, b: next ? next.seen : end, seen: entry.seen, until: next ? next.after ?? next.seen : end, colour: entry.leader ? servers.indexOf(entry.leader) : -1,
        short: entry.leader ? `${entry.leader}${entry.term != null ? ` · ${entry.term}` : ''}` : 'no leader', title: leaderText(group, entry), text: `took over ${uncertain(entry)}` };
    });
    put('leader', 18, group.name, items, { group: at });
  }
  for (const [label, items] of operationLanes(one, end)) put('shown', 15, label, items, { group: at });
  one.servers.forEach((server, no) => {
    const items = [];
    server.processes.forEach((process, nth) => {
      const next = server.processes[nth + 1];
      if (process.exit && next) {
        items.push({ kind: 'down', tone: process.exit.expected ? '' : 'error', a: process.exit.at, b: next.from, title: `${server.name} is down`, text: `for ${time(next.from - process.exit.at)}: ${process.exit.how}` });
      }
      const ready = process.stages.find(([, stage]) => stage === 'ready');
      const exit = process.exit;
      items.push({ kind: 'process', a: process.from, b: exit ? exit.at : end, open: !exit && one.stopped == null, ready: ready ? ready[0] : exit ? exit.at : end, stages: process.stages, exit, colour: no,
        title: `${server.name}${process.pid ? `, process ${process.pid}` : ''}`, text: [...process.stages.map(([when, stage]) => `${stage} at ${moment(when)}`), exit ? `${exit.expected ? 'ended' : 'crashed'}: ${exit.how}` : 'no end recorded'].join('; ') });
      if (exit) items.push({ kind: 'exit', tone: exit.expected ? '' : 'error', a: exit.at, b: exit.at, title: `${server.name} ${exit.expected ? 'ended' : 'crashed'}`, text: [exit.how, ...(exit.log || []).slice(-2)].join('; ') });
    });
    const open = {};
    for (const [what, ordered, seen, failed] of server.operations) {
      items.push({ kind: 'operation', tone: failed ? 'error' : '', a: ordered, b: seen, title: `${what} ${server.name}`, short: what, text: failed ? `failed: ${failed}` : `ordered at ${moment(ordered)}, seen at ${moment(seen)}, ${time(seen - ordered)} later` });
      if (isWord(what, 'pause') && !failed) open.pause = seen;
      if (isWord(what, 'resume') && open.pause != null) { items.push({ kind: 'paused', a: open.pause, b: seen, title: `${server.name} is paused`, text: `for ${time(seen - open.pause)}` }); open.pause = null; }
    }
    if (open.pause != null) items.push({ kind: 'paused', a: open.pause, b: end, title: `${server.name} is paused`, text: 'its end is not in the events' });
    put('server', 22, server.name, [...items, ...markItems(one.marks.filter((mark) => mark.server === server.name))], { group: at, colour: no });
  });
}
