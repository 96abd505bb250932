// LASTBIT=path/of/lastbit [LASTBIT_CASES=path/of/lastbit_onnxruntime_cases] [LASTBIT_DATA=folder]
// node check.mjs
//
// Stock ONNX Runtime must compute for LastBit's files what LastBit's own runtime does, and must fold
// their decoding into constants when it loads them. Prints a line a case, then how many passed and
// failed; the exit code is 0 if none failed. Real images are compared where $LASTBIT_DATA/mnist is.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { compare } from './compare.mjs';
import { writeNpy } from './npy.mjs';

const program = process.env.LASTBIT;
if (!program) {
  console.error('check: LASTBIT is not set, expected the path of the program');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'lastbit-onnxruntime-'));
const place = (...names) => join(folder, ...names);
let passed = 0;
let failed = 0;

function lastbit(...words) {
  try {
    execFileSync(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    throw new Error(`lastbit ${words.join(' ')}: ${error.stderr}`);
  }
}

// The case holds if `work` returns a finding; a throw is a failure.
async function check(name, work) {
  try {
    console.log(`ok    ${name}: ${await work()}`);
    ++passed;
  } catch (error) {
    console.log(`FAIL  ${name}: ${error.message}`);
    ++failed;
  }
}

// A string field of ONNX's messages that holds `text`: its length, then its bytes.
function holdsField(bytes, text) {
  return bytes.includes(Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]));
}

// Mod is an operator of every decoding, called or inline.
async function requireFolded(model) {
  if (!holdsField(readFileSync(model), 'Mod')) throw new Error('the file holds no decoding');
  const optimized = place('optimized.onnx');
  const session = await ort.InferenceSession.create(model, {
    graphOptimizationLevel: 'basic',
    optimizedModelFilePath: optimized,
    logSeverityLevel: 3,
  });
  await session.release();
  const bytes = readFileSync(optimized);
  for (const operator of ['Decode', 'Mod', 'Gather', 'Expand']) {
    if (holdsField(bytes, operator)) throw new Error(`ONNX Runtime keeps a node ${operator}`);
  }
}

async function requireEqual(model, data) {
  const inputs = place('inputs.npy');
  const outputs = place('outputs.npy');
  lastbit('run', model, '--data', data, '--out', outputs, '--inputs-out', inputs);
  const found = await compare(model, inputs, outputs);
  const text = `${found.rows} rows, largest difference ${found.maxDifference.toExponential(1)}, ` +
    `${found.differentClasses} other classes`;
  if (!found.ok) throw new Error(text);
  return text;
}

async function checkFile(name, model, data) {
  await check(name, async () => {
    await requireFolded(model);
    return requireEqual(model, data);
  });
}

async function checkZoo() {
  const digits = 'digits:train=10,test=500';
  for (const network of ['lenet5', 'lenet300', 'mlp']) {
    const float = place(`${network}.onnx`);
    lastbit('zoo', network, '--seed', '3', '--out', float,
      ...(network === 'mlp' ? ['--hidden', '61,30'] : []));
    await check(`${network} float`, () => requireEqual(float, digits));
    for (const codebook of ['binary', 'ternary', 'shift:1', 'shift:2/channel', 'ternary/group:64',
      'levels:-1,0,0.5,1/group:7', 'kmeans:4']) {
      for (const inline of [[], ['--inline-decode']]) {
        const run = place(`${network}-${codebook.replace(/\W/g, '-')}${inline.length}`);
        lastbit('compress', float, '--method', 'dc', '--codebook', codebook, '--run', run, ...inline);
        const name = [network, codebook, ...inline].join(' ');
        await checkFile(name, join(run, 'compressed.onnx'), digits);
      }
    }
  }
}

// A data set of one random image a part.
function writeImages(shape) {
  const data = place('images');
  mkdirSync(data, { recursive: true });
  const count = shape.reduce((a, b) => a * b, 1);
  let state = 1;
  const values = Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
  for (const part of ['train', 'test']) {
    writeNpy(join(data, `x_${part}.npy`), { shape: [1, ...shape], data: values });
    writeNpy(join(data, `y_${part}.npy`), { shape: [1], data: Int32Array.of(9) });
  }
  return data;
}

// Those for photographs, on sizes that are small for them; the larger in the form with pools.
async function checkLargeZoo() {
  for (const [network, side] of [['alexnet', 64], ['googlenet', 32], ['googlenet', 65],
    ['mobilenetv2', 32], ['resnet18', 64], ['resnet20', 32], ['resnet34', 32], ['resnet50', 32],
    ['vgg16', 32], ['vgg16', 64]]) {
    const shape = [3, side, side];
    const data = writeImages(shape);
    const model = place('large.onnx');
    for (const codebook of ['float', 'ternary/channel']) {
      lastbit('zoo', network, '--seed', '3', '--input', shape.join(), '--codebook', codebook, '--out', model);
      const name = `${network} at ${side} ${codebook}`;
      if (codebook === 'float') await check(name, () => requireEqual(model, data));
      else await checkFile(name, model, data);
    }
  }
}

async function checkMnist() {
  lastbit('train', 'lenet5', '--data', 'mnist', '--epochs', '1', '--run', place('mnist'));
  lastbit('compress', place('mnist', 'reference.onnx'), '--data', 'mnist', '--method', 'admm',
    '--epochs', '1', '--finish-epochs', '1', '--run', place('mnist-ternary'));
  await checkFile('lenet5 ternary by ADMM on MNIST', place('mnist-ternary', 'compressed.onnx'), 'mnist');
}

function overlap(boxes, i, k) {
  const side = (axis) => Math.min(boxes[4 * i + axis + 2], boxes[4 * k + axis + 2]) -
    Math.max(boxes[4 * i + axis], boxes[4 * k + axis]);
  const area = (n) => (boxes[4 * n + 2] - boxes[4 * n]) * (boxes[4 * n + 3] - boxes[4 * n + 1]);
  const both = Math.max(0, side(0)) * Math.max(0, side(1));
  return both > 0 ? both / (area(i) + area(k) - both) : 0;
}

// Whether the boxes selected for one class are those that suppression leaves, with scores and overlaps
// known to within `slack`: each has a sufficient score and is far enough from those before it, and each
// box that is left out overlaps a selected one with a better score, or comes behind as many as may be.
function isSuppression(boxes, scores, selected, slack) {
  const [most, maxOverlap, minScore] = [200, 0.45, 0.01];
  const good = selected.every((i, at) => scores[i] > minScore - slack &&
    selected.slice(0, at).every((better) => overlap(boxes, i, better) <= maxOverlap + slack));
  if (!good || selected.length > most) return false;
  const kept = new Set(selected);
  const full = selected.length === most ? scores[selected.at(-1)] : -Infinity;
  return scores.every((score, i) => kept.has(i) || score <= minScore + slack || full >= score - slack ||
    selected.some((better) => scores[better] >= score - slack &&
      overlap(boxes, i, better) > maxOverlap - slack));
}

// What suppression selects: rows (image, class, box), behind which our runtime has rows of -1. Where
// the rows of the two differ, boxes must be so near to a tie that either is right for its own figures.
function requireSameBoxes(ours, theirs, [, classes, count]) {
  const rowsOf = (values) => Array.from({ length: values.length / 3 },
    (_, i) => Array.from(values.slice(3 * i, 3 * i + 3), Number)).filter(([image]) => image >= 0);
  const [mine, others] = [rowsOf(ours.selected), rowsOf(theirs.selected)];
  const names = new Set(mine.map(String));
  const shared = others.filter((row) => names.has(String(row))).length;
  if (shared === mine.length && shared === others.length) return `${shared} same boxes`;
  for (const [side, rows] of [[ours, mine], [theirs, others]]) {
    for (let place = 0; place < side.scores.length / count; ++place) {
      const [image, label] = [Math.floor(place / classes), place % classes];
      const selected = rows.filter((row) => row[0] === image && row[1] === label).map((row) => row[2]);
      const boxes = side.boxes.subarray(4 * image * count, 4 * (image + 1) * count);
      const scores = side.scores.subarray(place * count, (place + 1) * count);
      if (!isSuppression(boxes, scores, selected, 1e-6)) {
        throw new Error(`${mine.length} and ${others.length} boxes, ${shared} of them the same`);
      }
    }
  }
  return `${shared} of ${mine.length} boxes the same, the others near ties`;
}

// A folder that onnxruntime_cases wrote: several inputs, integers among them, and several outputs.
async function requireCase(folder) {
  const { inputs, outputs } = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'));
  const floats = (name) => new Float32Array(Uint8Array.from(readFileSync(join(folder, name))).buffer);
  const feeds = {};
  inputs.forEach(({ name, type, shape }, i) => {
    const values = floats(`input${i}`);
    feeds[name] = type === 'int64'
      ? new ort.Tensor('int64', BigInt64Array.from(values, BigInt), shape)
      : new ort.Tensor('float32', values, shape);
  });
  const session = await ort.InferenceSession.create(join(folder, 'model.onnx'), { logSeverityLevel: 3 });
  const results = await session.run(feeds);
  await session.release();
  let largest = 0;
  outputs.forEach(({ name, type }, i) => {
    const ours = floats(`output${i}`);
    const theirs = results[name].data;
    if (type === 'int64') return;
    if (theirs.length !== ours.length) throw new Error(`'${name}' has ${theirs.length} values`);
    ours.forEach((value, k) => {
      const difference = Math.abs(value - theirs[k]) / Math.max(1, Math.abs(theirs[k]));
      largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference);
    });
  });
  const text = `largest difference ${largest.toExponential(1)}`;
  if (!(largest <= 1e-5)) throw new Error(text);
  if (!results.selected) return text;
  const ours = Object.fromEntries(outputs.map(({ name }, i) => [name, floats(`output${i}`)]));
  const theirs = Object.fromEntries(outputs.map(({ name }) => [name, results[name].data]));
  const { shape } = outputs.find(({ name }) => name === 'scores');
  return `${text}, ${requireSameBoxes(ours, theirs, shape)}`;
}

async function checkCases() {
  const cases = place('cases');
  const dtln = join(process.env.LASTBIT_DATA ?? '', 'models', 'dtln', 'model_1.onnx');
  execFileSync(process.env.LASTBIT_CASES, [cases, ...(existsSync(dtln) ? [dtln] : [])]);
  for (const name of readdirSync(cases)) await check(name, () => requireCase(join(cases, name)));
}

try {
  if (process.env.LASTBIT_CASES) await checkCases();
  else console.log('SKIPPED  recurrent layers and detectors: LASTBIT_CASES is not set');
  await checkZoo();
  await checkLargeZoo();
  if (process.env.LASTBIT_DATA && existsSync(join(process.env.LASTBIT_DATA, 'mnist'))) {
    await checkMnist();
  } else {
    console.log('SKIPPED  lenet5 on MNIST: $LASTBIT_DATA names no folder with mnist');
  }
} catch (error) {
  console.log(`FAIL  ${error.message}`);
  ++failed;
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`onnxruntime: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
