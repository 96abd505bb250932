// LASTBIT=path/of/lastbit [LASTBIT_DATA=folder] node check.mjs
//
// Stock ONNX Runtime must compute for LastBit's files what LastBit's own runtime does, and must fold
// their decoding into constants when it loads them. Prints a line a case, then how many passed and
// failed; the exit code is 0 if none failed. Real images are compared where $LASTBIT_DATA/mnist is.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
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

try {
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
