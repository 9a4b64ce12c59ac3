// The numbers of the page: coverage, the plan, what the noise costs, the data drawn; letters as in laws.js.

const TIE = 1e-12; // relative rounding within which a weight counts as equal to its threshold
const ANY = 1e-300; // a level so low that every positive probability counts as covered
const MAX_VISITS = 2000000;
const CHUNK = 1024;
const WATCHED = 1; // index of the watched action in the demonstrator's row

// --- coverage of one action, and the plan (tabular/exact_coverage.py, tabular/plan.py) ---
// A plan is { w, p, A, policy, level, visits, recorded }: level is gamma; visits and recorded are the counts so far.

/** How often the action must be recorded in n visits to be covered; n + 1 where no number suffices. */
function requiredCount(n, plan) {
  const weight = noiseWeight(n, plan.policy);
  const missing = plan.level * plan.p * (1 - TIE) - weight / plan.A;
  const count = missing > 0 ? Math.ceil((n * missing) / (1 - weight)) : 0;
  return count <= n ? count : n + 1;
}

/** Most visits after which the noise alone covers an action that was never recorded; null where it always does. */
function noiseSuffices(plan) {
  const { alpha, priorMass } = plan.policy;
  const threshold = plan.A * plan.level * plan.p * (1 - TIE);
  if (priorMass === Infinity) return alpha >= threshold ? null : 0;
  return Math.max(0, Math.floor((alpha * priorMass) / threshold - priorMass));
}

const missTables = new Map();

/** g(m), m = 0, 1, ...: probability that the action is not covered given m new visits; computed only as far as needed. */
function missTable(plan) {
  const { p, A, policy, level, visits, recorded } = plan;
  const key = [p, A, policy.alpha, policy.priorMass, level, visits, recorded].join();
  if (!missTables.has(key)) {
    if (missTables.size > 40) missTables.clear();
    missTables.set(key, { known: 0, values: new Float64Array(CHUNK), below: lowerTail(p) });
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
    table.values[table.known] = table.below(needed - 1, table.known);
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

/** Fewest further demonstrations from which on coverage has probability 1 - delta; null if there are none. */
function demonstrationsNeeded(plan, delta) {
  const later = laterMisses(plan, delta);
  if (later === null) return null;
  const { values, envelope, tail } = later;
  const falls = laterFalls(values, tail);
  let T = firstBelow(envelope, tail, plan.w, delta) - 1;
  // From T to T - 1 the probability changes by at most w times the largest fall of g where it matters. This tells how
  // far one may step without passing a failure; down to T/2, so that few visits do not matter.
  while (T >= 0) {
    const slack = delta - expected(values, tail, plan.w, T);
    if (slack < 0) return T + 1;
    const half = Math.floor(T / 2);
    const [least] = visitRange(half, plan.w);
    const fall = plan.w * (falls[Math.min(least, falls.length - 1)] + 1e-18);
    T -= 1 + Math.min(T - half, Math.floor(slack / fall));
  }
  return 0;
}

/** For each n the largest fall g(m) - g(m + 1) over m >= n; not below `tail`. */
function laterFalls(values, tail) {
  const falls = new Float64Array(values.length).fill(tail);
  for (let n = values.length - 2; n >= 0; n--) falls[n] = Math.max(falls[n + 1], values[n] - values[n + 1]);
  return falls;
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
  if (share >= p) return 1;
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

// --- what the noise costs (theory/bounds/suboptimality.py; the chain lock of tabular/instances.py, skill 1) ---

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
