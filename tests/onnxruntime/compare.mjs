// node compare.mjs model.onnx inputs.npy outputs.npy [--tolerance 1e-4] [--batch 100]
//
// Runs the model in ONNX Runtime on every row of the inputs and compares what comes out with the rows
// of the outputs, which LastBit wrote. Prints one line of JSON. Exit code: 0 if every difference is
// within the tolerance and no row has its largest value elsewhere, 1 if not, 2 for wrong usage.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { readNpy } from './npy.mjs';

function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; ++i) if (values[i] > values[best]) best = i;
  return best;
}

// What ONNX Runtime makes of `model` against what LastBit wrote; files by their paths.
export async function compare(model, inputPath, outputPath, { tolerance = 1e-4, batch = 100 } = {}) {
  const inputs = readNpy(inputPath);
  const expected = readNpy(outputPath);
  const rows = inputs.shape[0];
  if (expected.shape[0] !== rows || !(rows > 0)) {
    throw new Error(`${rows} inputs and ${expected.shape[0]} outputs do not belong together`);
  }
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
  const inputSize = inputs.data.length / rows;
  const outputSize = expected.data.length / rows;
  let maxDifference = 0;
  let differentClasses = 0;
  for (let first = 0; first < rows; first += batch) {
    const count = Math.min(batch, rows - first);
    const slice = inputs.data.subarray(first * inputSize, (first + count) * inputSize);
    const tensor = new ort.Tensor('float32', slice, [count, ...inputs.shape.slice(1)]);
    const results = await session.run({ [session.inputNames[0]]: tensor });
    const got = results[session.outputNames[0]].data;
    if (got.length !== count * outputSize) {
      throw new Error(`ONNX Runtime gives ${got.length / count} values a row, expected ${outputSize}`);
    }
    for (let row = 0; row < count; ++row) {
      const ours = expected.data.subarray((first + row) * outputSize, (first + row + 1) * outputSize);
      const theirs = got.subarray(row * outputSize, (row + 1) * outputSize);
      for (let i = 0; i < outputSize; ++i) {
        const difference = Math.abs(ours[i] - theirs[i]);
        // Not a number is as far off as can be.
        maxDifference = Math.max(maxDifference, Number.isNaN(difference) ? Infinity : difference);
      }
      if (argmax(ours) !== argmax(theirs)) ++differentClasses;
    }
  }
  await session.release();
  const ok = maxDifference <= tolerance && differentClasses === 0;
  return { rows, maxDifference, differentClasses, ok };
}

function parseCommandLine() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tolerance: { type: 'string', default: '1e-4' },
      batch: { type: 'string', default: '100' },
    },
  });
  const tolerance = Number(values.tolerance);
  const batch = Number(values.batch);
  if (positionals.length !== 3 || !(tolerance >= 0) || !Number.isInteger(batch) || batch < 1) {
    throw new Error(
      'usage: node compare.mjs model.onnx inputs.npy outputs.npy [--tolerance 1e-4] [--batch 100]');
  }
  return { paths: positionals, tolerance, batch };
}

async function main() {
  const { paths, tolerance, batch } = parseCommandLine();
  const found = await compare(...paths, { tolerance, batch });
  const difference = Number.isFinite(found.maxDifference) ? found.maxDifference : 'not finite';
  console.log(JSON.stringify({
    model: paths[0],
    rows: found.rows,
    max_difference: difference,
    tolerance,
    different_classes: found.differentClasses,
    ok: found.ok,
  }));
  return found.ok ? 0 : 1;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(`compare: ${error.message}`);
    process.exitCode = 2;
  }
}
