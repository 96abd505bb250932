/* Runs LastBit's networks from C: any float32 or low-bit ONNX model that `lastbit` writes or reads.
 *
 * A function that can fail returns NULL or a number other than 0, and says why in
 * lastbit_last_error. No C++ exception ever leaves this library. Text is UTF-8. */
#ifndef LASTBIT_RUNTIME_LASTBIT_H
#define LASTBIT_RUNTIME_LASTBIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LASTBIT_API __attribute__((visibility("default")))

/* A network ready to run. It runs on one thread at a time; lastbit_fork gives further ones. */
typedef struct lastbit_session lastbit_session;

/* The size that unknown dimensions of the inputs take which have this name, as {"sequence", 35}. */
typedef struct lastbit_size { /* NOLINT(readability-identifier-naming) */
  const char* dimension;
  int64_t size;
} lastbit_size;

typedef struct lastbit_options { /* NOLINT(readability-identifier-naming) */
  size_t struct_size; /* Set by lastbit_default_options; later versions may have more fields. */
  int64_t batch;      /* Size that an unknown first dimension of the inputs takes; 1. */
  int threads;        /* 1. Results do not depend on it. */
  const char* activations;   /* "float", or "int8": faster, and quantized on the way; "float". */
  const char* kernels;       /* Instruction set, as "avx2" or "scalar"; "fastest". */
  size_t memory_limit;       /* Most bytes that the values of a run may take together; 0, as many as
                                the machine has. A model whose shapes ask for more is refused. */
  const lastbit_size* sizes; /* (size_count) NULL for none. */
  size_t size_count;
} lastbit_options;

/* An input or output: a float32 array in row-major order. It belongs to its session. Integers
 * (int32 or int64 in the file) are floats too: whole numbers of magnitude 2^24 at most. The result
 * of a NonMaxSuppression has a row for each box that it could select; those it does not need hold
 * -1. */
typedef struct lastbit_port { /* NOLINT(readability-identifier-naming) */
  const char* name;
  const int64_t* shape; /* (rank) */
  size_t rank;
  size_t size;  /* Floats: the product of the shape. */
  int integers; /* 1 for integers, else 0. */
} lastbit_port;

/* As "0.1.0". */
LASTBIT_API const char* lastbit_version(void);

LASTBIT_API lastbit_options lastbit_default_options(void);

/* Loads an ONNX file. Options may be NULL for the default ones. Returns NULL if it fails. */
LASTBIT_API lastbit_session* lastbit_load(const char* path, const lastbit_options* options);

/* The same from the bytes of a file, which are not needed afterwards and whose weights must all be
 * in them. */
LASTBIT_API lastbit_session* lastbit_load_memory(const void* bytes,
                                                 size_t size,
                                                 const lastbit_options* options);

/* A session on the same weights with buffers of its own, for another thread. NULL if it fails. */
LASTBIT_API lastbit_session* lastbit_fork(const lastbit_session* session);

/* Sessions may be freed in any order. NULL is fine. */
LASTBIT_API void lastbit_free(lastbit_session* session);

/* 0 if it fails. */
LASTBIT_API size_t lastbit_input_count(const lastbit_session* session);
LASTBIT_API size_t lastbit_output_count(const lastbit_session* session);

/* The port of an index below the count; NULL for another. */
LASTBIT_API const lastbit_port* lastbit_input(const lastbit_session* session, size_t index);
LASTBIT_API const lastbit_port* lastbit_output(const lastbit_session* session, size_t index);

/* Runs the network. One array of the port's size each, in the order of the ports. Returns 0, or
 * another number if it fails. Allocates nothing. An array may be input and output, as the state of
 * a recurrent network: outputs are written when all is computed. */
LASTBIT_API int lastbit_run(lastbit_session* session,
                            const float* const* inputs,
                            float* const* outputs);

/* Why the last call of this thread that failed did so, as one sentence; empty if none has. It
 * stands until another call of this thread fails. */
LASTBIT_API const char* lastbit_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
