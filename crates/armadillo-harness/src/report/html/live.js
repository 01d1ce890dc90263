// Draws the run again whenever there is news of it, for as long as it goes on.
const at = document.getElementById('say');
let life = new AbortController();
let shown = null;
function draw(data) {
  const kept = shown?.keep();
  life.abort();
  life = new AbortController();
  document.getElementById('bar').replaceChildren();
  document.getElementById('main').replaceChildren();
  document.getElementById('lost')?.remove();
  shown = report(data, kept, life.signal);
}
// Nothing moves under somebody who is about to do something: who types, drags, marks text, or reads a dialog.
let pressed = false;
let typed = 0;
addEventListener('pointerdown', () => { pressed = true; });
for (const up of ['pointerup', 'pointercancel', 'blur']) addEventListener(up, () => { pressed = false; });
addEventListener('keydown', () => { typed = performance.now(); });
const isBusy = () => pressed || performance.now() - typed < 1000 || document.hidden
  || document.querySelector('dialog[open]') || String(getSelection());
const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });
function lost() {
  const text = 'This page has lost the run: it was ended or killed. Its directory has the report.';
  const notice = document.createElement('p');
  notice.id = 'lost';
  notice.className = 'notice lost';
  notice.textContent = text;
  document.getElementById('main').before(notice);
  at.textContent = text;
}
// What is newest is drawn as soon as nobody is busy, and asked for all the time: the server ends with the run, and must have told.
let newest = null;
async function drawNews() {
  for (;;) {
    while (!newest || isBusy()) await pause(200);
    const data = newest;
    newest = null;
    draw(data);
    if (!data.run.live) return;
  }
}
async function follow(version) {
  let ended = false;
  for (;;) {
    try {
      const answer = await fetch(`data?after=${version}`, { cache: 'no-store' });
      if (answer.status === 204) continue;
      if (!answer.ok) return lost();
      const news = await answer.json();
      version = news.version;
      newest = news.data;
      ended = !news.data.run.live;
    } catch {
      return lost();
    }
    if (ended) return undefined;
  }
}
const first = JSON.parse(document.getElementById('data').textContent);
if (first.data) draw(first.data);
else document.getElementById('main').append('The run has not started yet.');
drawNews();
follow(first.version);
