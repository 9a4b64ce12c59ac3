// Policies and laws of counts. Each function here and in model.js has the name of the Python function that it mirrors,
// in camel case.
// Letters: T demonstrations, w occupancy of the state, p probability of the action, A actions, n visits, H steps.
// A policy is { alpha, priorMass }: priorMass Infinity is uniform noise, alpha 0 is BC, alpha 1 the posterior.

const LOG_NEGLIGIBLE = 18 * Math.log(10); // tails of counts below exp(-this), 1e-18, are left out

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

// --- laws of counts (tabular/kernels/laws_of_counts.py) ---

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

/** P[Bin(n, p) <= k] for n = 0, 1, ... in turn: while k stays, one more trial takes p P[Bin(n, p) = k] away. */
function lowerTail(p) {
  let [lastK, lastN, edge, tail] = [-1, -1, 0, 0];
  return (k, n) => {
    if (k < 0 || k >= n) return k < 0 ? 0 : 1;
    if (k === lastK && n === lastN + 1 && edge > 1e-250) {
      tail -= p * edge;
      edge *= (n * (1 - p)) / (n - k);
    } else {
      [edge, tail] = [binomialMass(k, n, p), binomialAtMost(k, n, p)];
    }
    [lastK, lastN] = [k, n];
    return Math.max(0, tail);
  };
}

/** Least and greatest number of visits that matter: all but 2e-18 of Bin(T, w) lies between, by Bernstein's inequality. */
function visitRange(T, w) {
  const reach = Math.sqrt(2 * T * w * (1 - w) * LOG_NEGLIGIBLE) + (2 / 3) * LOG_NEGLIGIBLE;
  return [Math.max(0, Math.floor(T * w - reach)), Math.min(T, Math.ceil(T * w + reach))];
}

/** The numbers of visits that matter, from `first` on, and their probabilities. */
function visitLaw(T, w) {
  const [first, last] = visitRange(T, w);
  const mass = new Float64Array(last + 1 - first);
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
