// A library that loads and has nothing to do with ONNX Runtime.

extern "C" int nothing_to_see() { return 0; }
