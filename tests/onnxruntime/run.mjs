// node run.mjs model.onnx inputs.npy outputs.npy [optimized.onnx]
//
// Writes what ONNX Runtime computes for the inputs, and on request the graph that it made of the model.
import * as ort from 'onnxruntime-node';
import { readNpy, writeNpy } from './npy.mjs';

const [model, inputPath, outputPath, optimizedModelFilePath] = process.argv.slice(2);
const inputs = readNpy(inputPath);
const session = await ort.InferenceSession.create(model, {
  graphOptimizationLevel: optimizedModelFilePath ? 'basic' : 'all',
  ...(optimizedModelFilePath && { optimizedModelFilePath }),
});
const tensor = new ort.Tensor('float32', inputs.data, inputs.shape);
const result = (await session.run({ [session.inputNames[0]]: tensor }))[session.outputNames[0]];
writeNpy(outputPath, { shape: result.dims, data: result.data });
