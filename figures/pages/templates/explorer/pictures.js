// The pictures: SVG, drawn again at each move of a slider. Only positions on the screen are computed here.

const HEIGHT = 208;
const BOX = { left: 54, right: 20, top: 12, bottom: 38 };
const FOOT = HEIGHT - BOX.bottom;
// Solid lines first: where two curves coincide, the solid one shows between the dashes of the other.
const ORDER = ['BC', 'PostBC', 'uniform noise', 'posterior', 'our bound'];

// --- numbers for people ---

/** A number with its thousands apart, as in 12 000. */
function grouped(v) {
  return v >= 1e4 ? v.toLocaleString('en').replaceAll(',', '\u202f') : String(v);
}

function powerOfTen(k) {
  return `10${[...String(k)].map((c) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)]).join('')}`;
}

/** A number with three digits. */
function shown(v) {
  if (v === 0) return '0';
  if (v < 1 && v > 0.999) return '> 0.999';
  if (v >= 1e-4) return grouped(Number(v.toPrecision(3)));
  const [digits, power] = v.toExponential(1).split('e');
  return `${digits} × ${powerOfTen(Number(power))}`;
}

function tickText(v) {
  return v === 0 || (v >= 1e-3 && v < 1e5) ? grouped(v) : powerOfTen(Math.round(Math.log10(v)));
}

// --- parts of a picture ---

function node(parent, name, attributes, words) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (words !== undefined) element.textContent = words;
  parent.append(element);
}

function text(svg, x, y, words, anchor = 'middle', kind = '') {
  node(svg, 'text', { x, y, 'text-anchor': anchor, class: kind }, words);
}

function line(svg, kind, d, name = '') {
  node(svg, 'path', { class: kind, 'data-of': name, d });
}

/** Empty the picture and make one unit one pixel. */
function clear(svg) {
  const width = Math.max(260, svg.clientWidth || 460);
  svg.replaceChildren();
  svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  return width;
}

function scale(low, high, from, to, logarithmic) {
  const f = logarithmic ? Math.log10 : (v) => v;
  return (v) => from + ((to - from) * (f(v) - f(low))) / (f(high) - f(low));
}

function decades(low, high) {
  const ticks = [];
  for (let k = Math.round(Math.log10(low)); k <= Math.round(Math.log10(high)); k++) ticks.push(Number(`1e${k}`));
  return ticks;
}

/** The power of ten at or below the least positive value, within limits. */
function leastDecade(values, low, high) {
  const least = Math.min(1, ...values.filter((v) => v > 0));
  return Math.max(low, Math.min(high, Number(`1e${Math.floor(Math.log10(least) + 1e-9)}`)));
}

function yAxis(svg, width, y, ticks, label) {
  for (const v of ticks) {
    line(svg, 'grid', `M${BOX.left},${y(v)}H${width - BOX.right}`);
    text(svg, BOX.left - 6, y(v) + 4, tickText(v), 'end');
  }
  const transform = `translate(11,${(FOOT + BOX.top) / 2}) rotate(-90)`;
  node(svg, 'text', { transform, 'text-anchor': 'middle' }, label);
}

function xAxis(svg, left, right, x, ticks, label) {
  for (const v of ticks) {
    line(svg, 'grid', `M${x(v)},${BOX.top}V${FOOT}`);
    text(svg, x(v), FOOT + 15, tickText(v));
  }
  text(svg, (left + right) / 2, HEIGHT - 6, label);
}

/** A curve through the points that lie in the box; `y` may leave it. */
function curve(svg, name, xs, ys, x, y) {
  const points = xs.map((v, i) => [x(v), y(ys[i])]).filter(([, v]) => v <= FOOT + 0.5 && v >= BOX.top - 0.5);
  line(svg, 'curve', points.map(([u, v], i) => `${i ? 'L' : 'M'}${u.toFixed(1)},${v.toFixed(1)}`).join(''), name);
}

/** A mark of a policy: BC is a disc, PostBC a diamond, the demonstrator a wide line. */
function mark(svg, name, u, v, size) {
  const r = 1.3 * size;
  if (name === 'demonstrator') line(svg, 'level', `M${u - 2 * size},${v}h${4 * size}`, name);
  else if (name === 'BC') node(svg, 'circle', { class: 'mark', 'data-of': name, cx: u, cy: v, r: size });
  else line(svg, 'mark', `M${u},${v - r}l${r},${r}l${-r},${r}l${-r},${-r}z`, name);
}

/** A vertical line at T. */
function lineAtT(svg, x, T) {
  const left = x > (svg.clientWidth || 460) / 2;
  line(svg, 'here', `M${x},${BOX.top}V${FOOT}`);
  text(svg, x + (left ? -5 : 5), BOX.top + 10, `T = ${grouped(T)}`, left ? 'end' : 'start', 'halo');
}

// --- the four pictures ---

/** The probability of each action under each policy, on a logarithmic scale above a strip that means 0. */
function drawPolicies(svg, rows) {
  const width = clear(svg);
  const right = width - BOX.right;
  const least = leastDecade(Object.values(rows).flat(), 1e-8, 0.01);
  const floor = FOOT - 13;
  const y = scale(least, 1, floor - 22, BOX.top + 4, true);
  const height = (v) => (v > 0 ? y(v) : floor);
  yAxis(svg, width, y, decades(least, 1), 'probability');
  node(svg, 'rect', { class: 'floor', x: BOX.left, y: floor - 12, width: right - BOX.left, height: 25 });
  text(svg, BOX.left - 6, floor + 4, '0', 'end');
  const A = rows.demonstrator.length;
  const step = (right - BOX.left) / A;
  const size = Math.min(5, Math.max(3, step / 7));
  for (let a = 0; a < A; a++) {
    const u = BOX.left + step * (a + 0.5);
    mark(svg, 'demonstrator', u, height(rows.demonstrator[a]), size);
    mark(svg, 'BC', u - 0.9 * size, height(rows.BC[a]), size);
    mark(svg, 'PostBC', u + 0.9 * size, height(rows.PostBC[a]), size);
    if (a === WATCHED || A <= 12 || a % 5 === 4) text(svg, u, FOOT + 15, a === WATCHED ? '★' : String(a + 1));
  }
  text(svg, (BOX.left + right) / 2, HEIGHT - 6, 'action (★ is the watched one)');
}

/** Probability that the watched action is covered, against T. */
function drawCoverage(svg, grid, curves, T, delta) {
  const width = clear(svg);
  const right = width - BOX.right;
  const last = grid[grid.length - 1];
  const x = scale(grid[0], last, BOX.left, right, true);
  const y = scale(0, 1, FOOT, BOX.top + 14, false);
  yAxis(svg, width, y, [0, 0.25, 0.5, 0.75, 1], 'probability');
  xAxis(svg, BOX.left, right, x, decades(grid[0], last), 'demonstrations T');
  line(svg, 'aim', `M${BOX.left},${y(1 - delta)}H${right}`);
  lineAtT(svg, x(T), T);
  for (const name of ORDER) if (name in curves) curve(svg, name, grid, curves[name], x, y);
  text(svg, right - 4, y(1 - delta) + 15, `1 − δ = ${shown(1 - delta)}`, 'end', 'halo');
}

/** Loss on the chain against T, both on logarithmic scales; BC's loss of 0 is drawn on the lower edge with a label. */
function drawLoss(svg, grid, curves, T) {
  const width = clear(svg);
  const right = width - BOX.right;
  const last = grid[grid.length - 1];
  const least = leastDecade(Object.values(curves).flat(), 1e-8, 1e-3);
  const x = scale(grid[0], last, BOX.left, right, true);
  const y = scale(least, 1, FOOT, BOX.top + 14, true);
  yAxis(svg, width, y, decades(least, 1), 'loss of return');
  xAxis(svg, BOX.left, right, x, decades(grid[0], last), 'demonstrations T');
  lineAtT(svg, x(T), T);
  for (const name of ORDER.slice(1)) curve(svg, name, grid, curves[name], x, y);
  line(svg, 'curve', `M${BOX.left},${FOOT}H${right}`, 'BC');
  text(svg, BOX.left + 6, FOOT - 6, 'BC: 0', 'start', 'halo');
}

/** Bars: how many demonstrations each policy needs. */
function drawPlan(svg, needed, T) {
  const width = clear(svg);
  const left = 112;
  const right = width - BOX.right - 52;
  const high = 10 ** Math.ceil(Math.log10(1.01 * Math.max(10, T, ...Object.values(needed))));
  const x = scale(1, high, left, right, true);
  const ticks = decades(1, high).filter((v) => high < 1e6 || Math.log10(v) % 2 === 0);
  xAxis(svg, left, right, x, ticks, 'demonstrations needed');
  const step = (FOOT - BOX.top - 14) / Object.keys(needed).length;
  Object.entries(needed).forEach(([name, count], i) => {
    const top = BOX.top + 16 + i * step;
    const end = count === null ? x(high) : Math.max(left + 2, x(Math.max(1, count)));
    const kind = count === null ? 'bar never' : 'bar';
    const of = name.startsWith('BC') ? 'BC' : name;
    text(svg, left - 8, top + step / 2 + 1, name, 'end');
    node(svg, 'rect', { class: kind, 'data-of': of, x: left, y: top, width: end - left, height: step - 7 });
    text(svg, end + 5, top + step / 2 + 1, count === null ? 'never' : grouped(count), 'start', 'number');
  });
  lineAtT(svg, x(T), T);
}
