// The numbers of the page. Each function is named after the Python function that it mirrors, in camel case.
// Letters: T demonstrations, w occupancy of the state, p probability of the action, A actions, n visits, H steps.
// A policy is { alpha, priorMass }: priorMass Infinity is uniform noise, alpha 0 is BC, alpha 1 the posterior.

const TIE = 1e-12; // relative rounding within which a weight counts as equal to its threshold
const ANY = 1e-300; // a level so low that every positive probability counts as covered
const LOG_NEGLIGIBLE = 18 * Math.log(10); // tails of counts below exp(-this), 1e-18, are left out
const MAX_VISITS = 2000000;
const CHUNK = 1024;
const WATCHED = 1; // place of the watched action in the demonstrator's row

// --- policies (tabular/policies.py) ---

/** Weight a_n of the uniform distribution after n visits. */
function noiseWeight(n, policy) {
  if (n === 0) return 1;
  return policy.alpha * (policy.priorMass === Infinity ? 1 : policy.priorMass / (n + policy.priorMass));
}

/** The cloned distribution over actions, given how often each was recorded. */
function policyRow(counts, policy) {
  const n = counts.reduce((sum, k) => sum + k, 0);
  const weight = noiseWeight(n, policy);
  return counts.map((k) => (n > 0 ? (1 - weight) * (k / n) + weight / counts.length : 1 / counts.length));
}

/** The four policies of the family, by the names that they have in every figure. */
function family(alpha, priorMass) {
  return {
    'BC': { alpha: 0, priorMass: 1 },
    'uniform noise': { alpha, priorMass: Infinity },
    'posterior': { alpha: 1, priorMass },
    'PostBC': { alpha, priorMass },
  };
}

/** The main theorem's alpha and lambda. */
function paperParameters(A, H, T) {
  const log = Math.log(H * T);
  return { alpha: 1 / Math.max(A, H, log), priorMass: Math.max(A, 4 * log) };
}

/** Our lambda = L'/2, L' = log(2SAH/delta) (R3). */
function bestPriorMass(S, A, H, delta) {
  return 0.5 * Math.log((2 * S * A * H) / delta);
}

// --- laws of counts (tabular/_kernels.py) ---

const LOG_FACTORIAL = [0];
for (let n = 1; n < 16; n++) LOG_FACTORIAL.push(LOG_FACTORIAL[n - 1] + Math.log(n));

/** log n! minus log(sqrt(2 pi n) (n/e)^n). */
function stirlingError(n) {
  if (n < 16) return LOG_FACTORIAL[n] - (n + 0.5) * Math.log(n) + n - 0.9189385332046728;
  const square = n * n;
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / n;
}

/** x log(x/mean) + mean - x without cancellation. */
function deviance(x, mean) {
  if (x === 0) return mean;
  const gap = x - mean;
  if (Math.abs(gap) >= 0.1 * (x + mean)) return x * (Math.log(x) - Math.log(mean)) - gap;
  const v = gap / (x + mean);
  let total = gap * v;
  let term = 2 * x * v;
  for (let j = 3; ; j += 2) {
    term *= v * v;
    const longer = total + term / j;
    if (longer === total) return total;
    total = longer;
  }
}

/** P[Bin(n, p) = k], by Loader's saddle-point form. */
function binomialMass(k, n, p) {
  if (k < 0 || k > n) return 0;
  if (p <= 0 || p >= 1) return k === (p <= 0 ? 0 : n) ? 1 : 0;
  if (k === 0) return Math.exp(n * Math.log1p(-p));
  if (k === n) return Math.exp(n * Math.log(p));
  const exponent = stirlingError(n) - stirlingError(k) - stirlingError(n - k)
    - deviance(k, n * p) - deviance(n - k, n * (1 - p));
  return Math.exp(exponent) * Math.sqrt(n / (2 * Math.PI * k * (n - k)));
}

/** P[Bin(n, p) <= k], by adding up the shorter side until nothing more is seen. */
function binomialAtMost(k, n, p) {
  if (k < 0) return 0;
  if (k >= n) return 1;
  const odds = p / (1 - p);
  if (k < n * p) {
    let term = binomialMass(k, n, p);
    let total = term;
    for (let j = k; j > 0 && term > 1e-17 * total; j--) {
      term *= j / ((n - j + 1) * odds);
      total += term;
    }
    return Math.min(1, total);
  }
  let term = binomialMass(k + 1, n, p);
  let total = term;
  for (let j = k + 1; j < n && term > 1e-17 * total; j++) {
    term *= ((n - j) * odds) / (j + 1);
    total += term;
  }
  return Math.max(0, 1 - total);
}

/** The numbers of visits that matter, from `first` on, and their probabilities: all but 2e-18 of Bin(T, w). */
function visitLaw(T, w) {
  const reach = Math.sqrt(2 * T * w * (1 - w) * LOG_NEGLIGIBLE) + (2 / 3) * LOG_NEGLIGIBLE;
  const first = Math.max(0, Math.floor(T * w - reach));
  const mass = new Float64Array(Math.min(T, Math.ceil(T * w + reach)) + 1 - first);
  const peak = Math.min(Math.max(Math.floor((T + 1) * w) - first, 0), mass.length - 1);
  const odds = w < 1 ? w / (1 - w) : 0;
  mass[peak] = binomialMass(first + peak, T, w);
  for (let i = peak + 1; i < mass.length; i++) mass[i] = ((mass[i - 1] * (T - first - i + 1)) / (first + i)) * odds;
  for (let i = peak - 1; i >= 0; i--) {
    mass[i] = odds > 0 ? (mass[i + 1] * (first + i + 1)) / (T - first - i) / odds : 0;
  }
  return { first, mass };
}

/** E[f(N)], N ~ Bin(T, w). */
function binomialExpectation(f, T, w) {
  const { first, mass } = visitLaw(T, w);
  let total = 0;
  for (let i = 0; i < mass.length; i++) total += mass[i] * f(first + i);
  return total;
}

// --- coverage of one action, and the plan (tabular/exact_coverage.py, tabular/plan.py) ---
// A plan is { w, p, A, policy, level, visits, recorded }; level is gamma, the last two are what was seen so far.

/** How often the action must have been recorded in n visits to be covered; n + 1 where no number will do. */
function requiredCount(n, plan) {
  const weight = noiseWeight(n, plan.policy);
  const missing = plan.level * plan.p * (1 - TIE) - weight / plan.A;
  const count = missing > 0 ? Math.ceil((n * missing) / (1 - weight)) : 0;
  return count <= n ? count : n + 1;
}

/** Most visits after which the noise alone covers the action, were it never recorded; null where it always does. */
function noiseSuffices(plan) {
  const { alpha, priorMass } = plan.policy;
  const threshold = plan.A * plan.level * plan.p * (1 - TIE);
  if (priorMass === Infinity) return alpha >= threshold ? null : 0;
  return Math.max(0, Math.floor((alpha * priorMass) / threshold - priorMass));
}

const missTables = new Map();

/** g(m), m = 0, 1, ...: probability that the action is not covered given m new visits; computed as far as asked. */
function missTable(plan) {
  const { p, A, policy, level, visits, recorded } = plan;
  const key = [p, A, policy.alpha, policy.priorMass, level, visits, recorded].join();
  if (!missTables.has(key)) {
    if (missTables.size > 40) missTables.clear();
    missTables.set(key, { known: 0, values: new Float64Array(CHUNK) });
  }
  return missTables.get(key);
}

/** g(0), ..., g(size - 1), and perhaps more. */
function misses(plan, size) {
  const table = missTable(plan);
  if (table.values.length < size) {
    const longer = new Float64Array(Math.max(size, 2 * table.values.length));
    longer.set(table.values);
    table.values = longer;
  }
  for (; table.known < size; table.known++) {
    const needed = requiredCount(plan.visits + table.known, plan) - plan.recorded;
    table.values[table.known] = binomialAtMost(needed - 1, table.known, plan.p);
  }
  return table.values;
}

/** P[the action is covered after `more` more demonstrations], exactly. */
function coverageProbability(plan, more) {
  const { first, mass } = visitLaw(more, plan.w);
  const missed = misses(plan, first + mass.length);
  let total = 0;
  for (let i = 0; i < mass.length; i++) total += mass[i] * missed[first + i];
  return Math.min(1, Math.max(0, 1 - total));
}

/** Smallest further number from which on the action is covered with probability 1 - delta; null if there is none. */
function demonstrationsNeeded(plan, delta) {
  const later = laterMisses(plan, delta);
  if (later === null) return null;
  const { values, envelope, tail } = later;
  let high = firstBelow(envelope, tail, plan.w, delta);
  let fall = Math.max(tail, 1e-300);
  for (let n = 0; n + 1 < values.length; n++) fall = Math.max(fall, values[n] - values[n + 1]);
  fall *= plan.w;
  while (high > 0) {
    const slack = delta - expected(values, tail, plan.w, high - 1);
    if (slack < 0) return high;
    high -= 1 + Math.min(high - 1, Math.floor(slack / fall));
  }
  return 0;
}

/** g up to where all that follows is far below delta, the largest of its later values, and a bound on what follows. */
function laterMisses(plan, delta) {
  for (let size = CHUNK; size <= MAX_VISITS; size *= 2) {
    const tail = chernoffTail(plan, size);
    if (tail > 1e-3 * delta) continue;
    const values = misses(plan, size).subarray(0, size);
    const envelope = Float64Array.from(values);
    let largest = tail;
    for (let n = size - 1; n >= 0; n--) envelope[n] = largest = Math.max(largest, values[n]);
    return { values, envelope, tail };
  }
  return null;
}

/** Chernoff's bound on g(m) for every m >= n. */
function chernoffTail(plan, n) {
  const { p, A, policy, level, visits, recorded } = plan;
  let share = 0;
  for (const weight of [noiseWeight(visits + n, policy), policy.priorMass === Infinity ? policy.alpha : 0]) {
    const missing = level * p - weight / A;
    if (missing > 0) share = Math.max(share, weight < 1 ? missing / (1 - weight) : Infinity);
  }
  if (share === 0) return 0;
  share += Math.max(0, visits * share - recorded) / n;
  if (share >= p) return 1;
  const rest = p < 1 ? (1 - share) * (Math.log1p(-share) - Math.log1p(-p)) : Infinity;
  return Math.exp(-n * (share * Math.log(share / p) + rest));
}

/** E of a function of Bin(T, w) that is `tail` beyond the last of its values. */
function expected(values, tail, w, T) {
  return binomialExpectation((n) => (n < values.length ? values[n] : tail), T, w);
}

/** Smallest T at which the falling expectation is at most delta. */
function firstBelow(envelope, tail, w, delta) {
  if (expected(envelope, tail, w, 0) <= delta) return 0;
  let low = 0;
  let high = 1;
  while (expected(envelope, tail, w, high) > delta) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (expected(envelope, tail, w, middle) > delta) low = middle;
    else high = middle;
  }
  return high;
}

// --- what the noise costs (theory/suboptimality.py; the chain lock of tabular/instances.py, skill 1) ---

/** Exact loss on a chain of H steps that one wrong action ends, after T demonstrations without an error. */
function chainLoss(A, H, T, policy) {
  return -Math.expm1(H * Math.log1p(-noiseWeight(T, policy) * (1 - 1 / A)));
}

/** w E[a_N], N ~ Bin(T, w): the expected weight of the noise where the demonstrator goes. */
function expectedNoise(w, T, policy) {
  const { alpha, priorMass } = policy;
  const unseen = Math.exp(T * Math.log1p(-w));
  const shrinkage = (n) => priorMass / (n + priorMass);
  const posterior = alpha > 0 && priorMass !== Infinity ? binomialExpectation(shrinkage, T, w) : 1;
  return w * ((1 - alpha) * unseen + alpha * posterior);
}

/** Our bound on the loss (R1), from the probability w[h][s] of each state at each step. */
function r1Bound(w, A, T, policy) {
  let total = 0;
  w.forEach((states, h) => states.forEach((share) => { total += (w.length - h) * expectedNoise(share, T, policy); }));
  return (1 - 1 / A) * total;
}

// --- the data drawn in the page ---

/** One usual action and A - 1 of probability p; where p is above 1/A, the watched action is the usual one. */
function demonstrator(A, p) {
  const row = new Array(A).fill(p);
  if (p <= 1 / A) row[0] = 1 - (A - 1) * p;
  else row.fill((1 - p) / (A - 1));
  row[WATCHED] = p;
  return row;
}

function mix(x) {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** Number i of a sequence of uniform numbers in [0, 1): a hash of the seed and i (MurmurHash3's last steps, twice). */
function uniform(seed, i) {
  return (mix(mix(seed + 0x9e3779b9) + mix(i + 0x7f4a7c15)) >>> 0) / 4294967296;
}

/** How often each action was recorded in T demonstrations; the first T of 2T demonstrations are those of T. */
function drawCounts(seed, T, w, row) {
  const counts = new Array(row.length).fill(0);
  for (let t = 0; t < T; t++) {
    if (uniform(seed, 2 * t) >= w) continue;
    let left = uniform(seed, 2 * t + 1);
    let a = 0;
    while (a < row.length - 1 && left >= row[a]) left -= row[a++];
    counts[a] += 1;
  }
  return counts;
}

const model = {
  noiseWeight, policyRow, paperParameters, bestPriorMass, binomialMass, binomialAtMost, visitLaw, requiredCount,
  noiseSuffices, coverageProbability, demonstrationsNeeded, chainLoss, expectedNoise, r1Bound, demonstrator, uniform,
  drawCounts, ANY, family,
};
