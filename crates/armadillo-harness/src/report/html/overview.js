// The overview: what came of the run, and where to look first.
function verdictOf(run) {
  if (run.live) {
    const done = D.tests.length - counts.running - counts.not_run - counts.ignored;
    const bad = counts.failed + counts.inconclusive;
    return [bad ? 'failed' : 'running', `Running: ${done} of ${plural(D.tests.length - counts.ignored, 'test')}${bad ? `, ${bad} failed` : ''}`, ''];
  }
  if (run.exit_code == null) return ['failed', 'Killed', 'the event log ends before the run did'];
  const bad = counts.failed + counts.inconclusive;
  if (bad) return ['failed', `${counts.failed ? plural(counts.failed, 'test') : plural(counts.inconclusive, 'test')} ${counts.failed ? 'failed' : 'inconclusive'}`, ''];
  if (run.exit_code) return ['failed', `Exit ${run.exit_code}`, ''];
  return ['passed', `${plural(counts.passed + counts.flaky, 'test')} passed`, ''];
}
function overview() {
  const { run } = D;
  const [tone, headline, more] = verdictOf(run);
  const sum = D.tests.length || 1;
  const facts = [`${run.live ? 'for' : 'in'} ${time(run.duration)}`, run.live ? '' : `exit code ${run.exit_code ?? 'unknown'}`, run.early ? `ended early: ${run.early}` : '', more].filter(Boolean);
  const page = h('div', { cls: 'page' },
    h('div', { style: { display: 'grid', gap: '14px' } },
      h('div', { cls: 'verdict' }, h('strong', { cls: tone }, headline), h('span', { cls: 'soft' }, facts.join(' · '))),
      h('div', { cls: 'strip', 'aria-hidden': 'true' }, STATUSES.filter((status) => counts[status]).map((status) => h('i', { cls: status, style: { flex: `${counts[status] / sum} 1 0` } }))),
      h('div', { cls: 'tiles' }, STATUSES.map((status) => h('a', { cls: `tile ${counts[status] ? '' : 'none'}`, href: address('tests', null, { show: status }), 'data-tile': status },
        h('b', { cls: counts[status] ? status : '' }, counts[status].toLocaleString('en')), h('span', {}, icon(status), label(status)))))));
  if (D.missing.length) {
    page.append(h('section', { cls: `notice ${D.run.exit_code == null ? '' : 'quiet'}`, 'data-part': 'missing' }, h('b', {}, 'Not in this report'), h('ul', {}, D.missing.map((text) => h('li', {}, text)))));
  }
  const running = D.tests.filter((test) => test.status === 'running').sort((a, b) => a.from - b.from);
  if (running.length) page.append(card('Running', running, 12, 'running', runningRow));
  const failed = D.tests.filter((test) => test.status === 'failed' || test.status === 'inconclusive').sort((a, b) => a.from - b.from);
  if (failed.length) page.append(card('Failed', failed, 12, 'failed,inconclusive', failureRow));
  const slow = D.tests.filter((test) => test.total).sort((a, b) => b.total - a.total);
  const flaky = D.tests.filter((test) => test.status === 'flaky');
  const leaked = D.tests.filter((test) => test.leaked);
  page.append(h('div', { cls: 'columns' },
    slow.length ? card('Slowest', slow, 10, null, (test) => slowRow(test, slow[0].total)) : null,
    flaky.length ? card('Flaky', flaky, 10, 'flaky', failureRow) : null,
    leaked.length ? card('Leaked', leaked, 10, null, failureRow) : null,
    D.warnings.length ? cardOf('Warnings', `${D.warnings.length}`, h('ul', { cls: 'rows' }, D.warnings.slice(0, 30).map(([at, text]) => h('li', {}, h('span', { cls: 'soft' }, moment(at)), h('span', { cls: 'grow' }, text))))) : null));
  if (D.deployments.length) page.append(deploymentTable());
  page.append(h('div', { cls: 'columns' }, runCard(), pressureCard()));
  return page;
}
const cardOf = (title, aside, ...inside) => h('section', { cls: 'card' }, h('h2', {}, title, h('span', { cls: 'soft' }, aside)), inside);
function card(title, tests, most, status, row) {
  const aside = tests.length > most && status ? h('a', { href: address('tests', null, { show: status }) }, `all ${tests.length}`)
    : tests.length > most ? h('a', { href: address('tests', null, { order: 'slow' }) }, 'all') : '';
  return cardOf(title, aside, h('div', { cls: 'rows', 'data-card': title }, tests.slice(0, most).map(row)));
}
function failureRow(test) {
  const attempt = test.attempts.find((one) => one.message) || test.attempts[test.attempts.length - 1];
  const first = attempt ? `${attempt.verdict}${attempt.message ? `: ${attempt.message.split('\n')[0]}` : ''}` : '';
  return testLink(test, icon(test.status), h('span', { cls: 'grow' }, h('div', { cls: 'clip' }, named(test.name)), h('div', { cls: 'clip soft' }, first)), h('span', { cls: 'took' }, time(test.total)));
}
function runningRow(test) {
  const { deployments, no } = test.attempts[test.attempts.length - 1];
  const where = (deployments || []).map((at) => D.topologies[D.deployments[at].topology]).join(' + ');
  return testLink(test, icon('running'), h('span', { cls: 'grow' }, h('div', { cls: 'clip' }, named(test.name)), h('div', { cls: 'clip soft' }, no > 1 ? `attempt ${no} ` : '', where)), h('span', { cls: 'took' }, time(test.total)));
}
function slowRow(test, most) {
  return testLink(test, icon(test.status), h('span', { cls: 'grow clip' }, named(test.name)),
    h('span', { cls: 'bar-cell', 'aria-hidden': 'true' }, h('i', { style: { width: `${(100 * test.total) / most}%` } })), h('span', { cls: 'took' }, time(test.total)));
}
function deploymentTable() {
  const rows = D.deployments.map((one, at) => {
    const exits = one.servers.flatMap((server) => server.processes).filter((process) => process.exit);
    const crashes = exits.filter((process) => !process.exit.expected).length;
    const state = one.failed ? h('span', { cls: 'failed' }, `failed: ${one.failed.split('\n')[0]}`) : one.recycled ? h('span', { cls: 'flaky' }, `replaced: ${one.recycled[1]}`)
      : one.stopped == null ? h('span', { cls: 'soft' }, D.run.live ? (one.ready == null ? 'starting' : 'running') : 'no end recorded') : one.complaints.length ? h('span', { cls: 'flaky' }, one.complaints.join('; ')) : h('span', { cls: 'soft' }, 'stopped');
    return h('tr', {}, h('td', {}, h('a', { href: address('timeline', null, { from: Math.floor(one.from / 1000), to: Math.ceil((one.stopped ?? END) / 1000), at }) }, D.topologies[one.topology]), h('div', { cls: 'soft' }, one.id)),
      h('td', {}, (one.reason || '').replace('_', ' ')), h('td', { cls: 'num' }, time(one.took)), h('td', { cls: 'num' }, String(one.leases.length)),
      h('td', { cls: 'num' }, String(one.servers.reduce((count, server) => count + server.operations.length, 0))),
      h('td', { cls: 'num' }, crashes ? h('b', { cls: 'failed' }, String(crashes)) : '0'), h('td', {}, state));
  });
  return cardOf('Deployments', String(D.deployments.length), h('div', { cls: 'scroll-x', tabindex: 0 }, h('table', {},
    h('thead', {}, h('tr', {}, ['Topology', 'Started as'].map((title) => h('th', { scope: 'col' }, title)), ['Ready after', 'Leases', 'Operations', 'Crashes'].map((title) => h('th', { scope: 'col', cls: 'num' }, title)), h('th', { scope: 'col' }, 'End'))),
    h('tbody', {}, rows))));
}
function runCard() {
  const { run } = D;
  const facts = [['Run', run.id], ['Started', new Date(run.unix_time * 1000).toISOString().replace('T', ' ').replace('.000Z', ' UTC')], ['Tests of', run.executable],
    ['Arguments', run.args.join(' ') || 'none'], ['Seed', run.seed], ['At once', `${run.workers}, isolation ${run.isolation}`], ['Filtered out', String(run.filtered_out)],
    ...run.programs.map(([system, program]) => [system, `${program.program} ${program.version}${program.stand_in ? ` (${program.stand_in})` : ''}${program.note ? `; ${program.note}` : ''}`]),
    ['Armadillo', run.armadillo]];
  return cardOf('Run', '', h('dl', { cls: 'facts' }, facts.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])));
}
// How much its servers asked of the machine, as far as anybody looked.
function pressureCard() {
  const peaks = D.deployments.map((one, at) => {
    const most = (figure, pick) => Math.max(0, ...pick(seriesOf(one, figure)).filter(Number.isFinite));
    return { one, at, cpu: most('process_cpu', sums), memory: most('process_memory', sums) };
  }).filter((peak) => peak.cpu || peak.memory);
  const body = peaks.length ? h('div', { cls: 'rows' }, peaks.map((peak) => h('div', {}, h('span', { cls: 'grow clip' }, D.topologies[peak.one.topology]),
    h('span', {}, `${(peak.cpu * 100).toFixed(0)} % of a core`), h('span', { cls: 'num', style: { width: '84px' } }, bytes(peak.memory)))))
    : h('p', { cls: 'empty' }, 'No statistics were recorded.');
  return cardOf('Pressure', 'peaks of each deployment’s servers', body, machinePressure());
}
// How busy the machine was, all its processes together.
function machinePressure() {
  const samples = (D.machine || []).map(([at, sample]) => ({ at, ...sample }));
  const peak = (field) => samples.reduce((most, one) => (one[field] != null && (most == null || one[field] > most[field]) ? one : most), null);
  const facts = [];
  const load = peak('load');
  if (load) facts.push(['Load', `up to ${load.load.toFixed(1)} on ${plural(load.cores, 'core')}`, load]);
  for (const [field, what] of [['waited_for_cpu', 'a core'], ['waited_for_memory', 'memory'], ['waited_for_io', 'a disk']]) {
    const most = peak(field);
    if (most && most[field] >= 0.01) facts.push([`Waited for ${what}`, `up to ${Math.round(most[field] * 100)} % of the time`, most]);
  }
  const least = samples.reduce((low, one) => (one.available_mib != null && (low == null || one.available_mib < low.available_mib) ? one : low), null);
  if (least) facts.push(['Free memory', `${bytes(least.available_mib * 1048576)} at least`, least]);
  if (!facts.length) return h('p', { cls: 'soft machine' }, 'How busy the machine was is not in the events.');
  return h('dl', { cls: 'facts machine', 'data-part': 'machine' }, facts.map(([name, value, { at }]) => [h('dt', {}, name),
    h('dd', {}, `${value} `, h('a', { href: address('timeline', null, { from: Math.max(0, Math.floor(at / 1000) - 5000), to: Math.ceil(at / 1000) + 1000 }) }, `at ${moment(at)}`))]));
}
function sums(series) {
  if (!series) return [];
  return series.at.map((_, at) => series.values.reduce((sum, values) => sum + (values[at] || 0), 0));
}
