/* Runs a model from C: c_api MODEL.onnx
 *
 * Every input is filled with a ramp; the first values of every output are printed. */
#include <stdio.h>
#include <stdlib.h>

#include "lastbit/runtime/lastbit.h"

static int fail(void) {
  fprintf(stderr, "%s\n", lastbit_last_error());
  return 2;
}

/* An array for each port. */
static float** arrays(const lastbit_session* session,
                      size_t count,
                      const lastbit_port* (*port)(const lastbit_session*, size_t)) {
  float** result = malloc((count + 1) * sizeof(float*));
  for (size_t i = 0; i < count; ++i) {
    const size_t size = port(session, i)->size;
    result[i] = malloc(size * sizeof(float));
    for (size_t k = 0; k < size; ++k) result[i][k] = (float)(k % 256) / 256.0F;
  }
  return result;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: c_api MODEL.onnx\n");
    return 2;
  }
  lastbit_options options = lastbit_default_options();
  options.threads = 2;
  lastbit_session* session = lastbit_load(argv[1], &options);
  if (session == NULL) return fail();

  const size_t inputs = lastbit_input_count(session);
  const size_t outputs = lastbit_output_count(session);
  float** in = arrays(session, inputs, lastbit_input);
  float** out = arrays(session, outputs, lastbit_output);
  if (lastbit_run(session, (const float* const*)in, out) != 0) return fail();

  for (size_t i = 0; i < outputs; ++i) {
    const lastbit_port* port = lastbit_output(session, i);
    printf("%s:", port->name);
    for (size_t k = 0; k < port->size && k < 10; ++k) printf(" %g", out[i][k]);
    printf("\n");
  }
  for (size_t i = 0; i < inputs; ++i) free(in[i]);
  for (size_t i = 0; i < outputs; ++i) free(out[i]);
  free(in);
  free(out);
  lastbit_free(session);
  return 0;
}
