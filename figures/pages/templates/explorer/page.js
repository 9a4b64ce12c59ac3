// The page: settings, sliders, sentences. The settings are the only state; everything else is drawn from them.

const { sliders: SLIDERS, presets: PRESETS } = JSON.parse(document.getElementById('settings').textContent);
const T_STOPS = SLIDERS.find(({ key }) => key === 'T').stops;
const settings = { seed: 1 };
// Fine enough to show the teeth of the probability, where one more record is asked for.
const GRID = logarithmicGrid(T_STOPS[0], T_STOPS[T_STOPS.length - 1], 75);
let settling = 0;

function picture(id) {
  return document.querySelector(`#${id} svg.picture`);
}

/** The sentences above a picture, which are also its description. */
function say(id, ...sentences) {
  document.getElementById(`${id}-says`).textContent = sentences.filter((text) => text).join(' ');
}

/** The values under a picture; data-value holds all digits. */
function list(id, values) {
  for (const [name, value] of Object.entries(values)) {
    const output = document.querySelector(`#${id} [data-value-of="${name}"]`);
    output.textContent = value === null ? 'never' : shown(value);
    output.dataset.value = value;
  }
}

function times(n) {
  return n === 0 ? 'never' : n === 1 ? 'once' : `${grouped(n)} times`;
}

function plan(policy, level = settings.gamma) {
  const { w, p, A } = settings;
  return { w, p, A, policy, level, visits: 0, recorded: 0 };
}

/** Whole numbers, about evenly spaced on a logarithmic scale. */
function logarithmicGrid(low, high, perDecade) {
  const numbers = new Set();
  for (let i = 0; i <= perDecade * Math.log10(high / low); i++) numbers.add(Math.round(low * 10 ** (i / perDecade)));
  return [...numbers];
}

/** A value for each policy of the family, by name. */
function each(value) {
  const policies = Object.entries(family(settings.alpha, settings.lambda));
  return Object.fromEntries(policies.map(([name, policy]) => [name, value(policy)]));
}

function renderPolicies() {
  const { T, A, p, w, seed } = settings;
  const pi = demonstrator(A, p);
  const counts = drawCounts(seed, T, w, pi);
  const n = counts.reduce((sum, k) => sum + k, 0);
  const rows = { demonstrator: pi, ...each((policy) => policyRow(counts, policy)) };
  const missed = rows.BC.filter((q, a) => q === 0 && pi[a] > 0).length;
  if (n === 0) {
    say('policies', 'No demonstration visits the state, so every policy is uniform there.',
      'Draw again, or take more demonstrations.');
  } else {
    say('policies',
      `The demonstrations visit the state ${times(n)} and record the watched action (★) ${times(counts[WATCHED])}.`,
      `BC gives probability 0 to ${missed === 0 ? 'none' : missed} of the demonstrator’s ${A} actions;`,
      `the least probability that PostBC gives an action is ${shown(Math.min(...rows.PostBC))}.`);
  }
  drawPolicies(picture('policies'), { demonstrator: pi, BC: rows.BC, PostBC: rows.PostBC });
  list('policies', { demonstrator: pi[WATCHED], BC: rows.BC[WATCHED], PostBC: rows.PostBC[WATCHED] });
}

function renderCoverage() {
  const { T, w, p, gamma, delta, alpha, lambda } = settings;
  const now = each((policy) => coverageProbability(plan(policy), T));
  const unseen = Math.exp(T * Math.log1p(-w));
  const alone = noiseSuffices(plan(family(alpha, lambda).PostBC));
  say('coverage',
    `After ${grouped(T)} demonstrations, BC gives the watched action at least ${shown(gamma * p)} (γ p) with`,
    `probability ${shown(now.BC)}, and PostBC with ${shown(now.PostBC)}.`,
    alone > 0 ? `PostBC’s noise alone is enough up to ${grouped(alone)} visits.` : 'PostBC’s noise alone is never enough.',
    unseen > 0.01 && `With probability ${shown(unseen)} no demonstration visits the state; every policy is uniform then.`);
  const curves = each((policy) => GRID.map((t) => coverageProbability(plan(policy), t)));
  drawCoverage(picture('coverage'), GRID, curves, T, delta);
  list('coverage', now);
}

function renderLoss() {
  const { T, A, H, alpha, lambda } = settings;
  const always = new Array(H).fill([1]);
  const bound = (t) => r1Bound(always, A, t, family(alpha, lambda).PostBC);
  const now = { ...each((policy) => chainLoss(A, H, T, policy)), 'our bound': bound(T) };
  say('loss',
    `A chain of ${H === 1 ? 'one step' : `${H} steps`} pays 1 at the end; one wrong action ends it, and the`,
    `demonstrator never errs. After ${grouped(T)} demonstrations PostBC’s noise costs ${shown(now.PostBC)}.`,
    `Uniform noise costs ${shown(now['uniform noise'])} for any number of demonstrations.`);
  const curves = { ...each((policy) => GRID.map((t) => chainLoss(A, H, t, policy))), 'our bound': GRID.map(bound) };
  drawLoss(picture('loss'), GRID, curves, T);
  list('loss', now);
}

function renderPlan() {
  const { T, delta, gamma } = settings;
  const ever = demonstrationsNeeded(plan(family(0, 1).BC, ANY), delta);
  const needed = { 'BC, above 0': ever, ...each((policy) => demonstrationsNeeded(plan(policy), delta)) };
  const words = (count) => (count === null ? 'never reaches it' : `needs ${count === 0 ? 'none' : grouped(count)}`);
  say('plan',
    `To give the watched action at least ${shown(gamma)} of its probability, with probability ${shown(1 - delta)} from`,
    `that number on: BC ${words(needed.BC)}; PostBC ${words(needed.PostBC)}.`,
    '“BC, above 0” needs only a positive probability.');
  drawPlan(picture('plan'), needed, T);
  list('plan', needed);
}

function render() {
  renderPolicies();
  renderCoverage();
  renderLoss();
  renderPlan();
}

// --- settings, sliders, the address ---

function nearest(stops, value) {
  return stops.reduce((best, stop, i) => (Math.abs(stop - value) < Math.abs(stops[best] - value) ? i : best), 0);
}

/** Take values, each kept within the range of its slider; draw. */
function set(changes) {
  for (const { key, stops, whole } of SLIDERS) {
    if (!(key in changes)) continue;
    const within = Math.min(stops[stops.length - 1], Math.max(stops[0], changes[key]));
    settings[key] = whole ? Math.round(within) : within;
    const input = document.getElementById(`slider-${key}`);
    input.value = nearest(stops, settings[key]);
    input.setAttribute('aria-valuetext', shown(settings[key]));
    document.getElementById(`value-${key}`).textContent = shown(settings[key]);
  }
  if (Number.isInteger(changes.seed) && changes.seed >= 0 && changes.seed < 2 ** 31) settings.seed = changes.seed;
  render();
  clearTimeout(settling);
  settling = setTimeout(settle, 400);
}

/** When the sliders have stopped: set the address, for sharing, and the text that a screen reader speaks. */
function settle() {
  const hash = [...SLIDERS.map(({ key }) => key), 'seed'].map((key) => `${key}=${settings[key]}`).join('&');
  if (location.hash !== `#${hash}`) history.replaceState(null, '', `#${hash}`);
  const spoken = ['coverage', 'plan'].map((id) => document.getElementById(`${id}-says`).textContent).join(' ');
  document.getElementById('status').textContent = spoken;
}

/** The settings in the address; entries that are no number are left out. */
function fromAddress() {
  const entries = [...new URLSearchParams(location.hash.slice(1))].filter(([, text]) => text.trim() !== '');
  return Object.fromEntries(entries.map(([key, text]) => [key, Number(text)]).filter(([, v]) => Number.isFinite(v)));
}

function chosen(name) {
  const { T, A, H, w, delta } = settings;
  if (name === 'paper') {
    const { alpha, priorMass } = paperParameters(A, H, T);
    return { alpha, lambda: priorMass };
  }
  return { lambda: bestPriorMass(Math.round(1 / w), A, H, delta) };
}

function begin() {
  for (const { key, stops } of SLIDERS) {
    const input = document.getElementById(`slider-${key}`);
    input.addEventListener('input', () => set({ [key]: stops[input.value] }));
  }
  for (const button of document.querySelectorAll('button[data-preset]')) {
    button.addEventListener('click', () => set(PRESETS[button.dataset.preset]));
  }
  for (const button of document.querySelectorAll('button[data-choice]')) {
    button.addEventListener('click', () => set(chosen(button.dataset.choice)));
  }
  document.getElementById('draw-again').addEventListener('click', () => set({ seed: (settings.seed + 1) % 2 ** 31 }));
  window.addEventListener('hashchange', () => set(fromAddress()));
  window.addEventListener('resize', render);
  set({ ...Object.fromEntries(SLIDERS.map(({ key, start }) => [key, start])), ...fromAddress() });
}
