// NumPy's array files, as far as LastBit writes them: float32, little-endian, C order. Also writes
// the integers of labels.
import { readFileSync, writeFileSync } from 'node:fs';

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');

export function readNpy(path) {
  const bytes = readFileSync(path);
  if (bytes.length < 12 || !bytes.subarray(0, 6).equals(MAGIC)) {
    throw new Error(`[npy] ${path} does not begin as an npy file`);
  }
  const wide = bytes[6] >= 2;
  const start = wide ? 12 : 10;
  const end = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8));
  const header = bytes.toString('latin1', start, end);
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1].split(',').filter((s) => s.trim()).map(Number);
  if (!/'descr': '<f4'/.test(header) || !/'fortran_order': False/.test(header) || !shape) {
    throw new Error(`[npy] ${path} must be float32 in C order, its header is ${header.trim()}`);
  }
  const count = shape.reduce((a, b) => a * b, 1);
  if (bytes.length - end !== 4 * count) {
    throw new Error(`[npy] ${path} has ${bytes.length - end} bytes of data, expected ${4 * count}`);
  }
  return { shape, data: new Float32Array(Uint8Array.from(bytes.subarray(end)).buffer) };
}

export function writeNpy(path, { shape, data }) {
  const type = data instanceof Int32Array ? '<i4' : '<f4';
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const header = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + '\n';
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  const body = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  writeFileSync(path, Buffer.concat([MAGIC, Buffer.from([1, 0]), length, Buffer.from(header), body]));
}
