/* The whole C interface of the core: plan bytes in, scores out.
 *
 * A lens is made from a plan (docs/format/plan.md), fed with the bands of its planes, and run.
 * Nothing here prints, throws, or keeps a global. pl_run allocates nothing. A lens may be used by
 * one thread at a time.
 */
#ifndef POCKETLENS_CORE_H
#define POCKETLENS_CORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pl_lens pl_lens;

typedef enum {
  PL_OK = 0,
  PL_NO_MEMORY = 1,
  PL_NO_TARGET = 2,    /* this build or machine lacks the instruction set */
  PL_BAD_ARGUMENT = 3, /* threads 0 or more than 256, a null pointer */
  PL_NOT_A_PLAN = 4,
  PL_VERSION = 5,
  PL_SECTIONS = 6,  /* offsets or sizes of the plan's sections */
  PL_TOO_LARGE = 7, /* more than the core takes: seen, and where known the limit */
  PL_VALUE = 8,     /* rank or dimensions of value `seen` */
  PL_TENSOR = 9,    /* a field of the tensor table */
  PL_PALETTE = 10,  /* k, group rows, palette bytes or the common index */
  PL_OPERATOR = 11, /* number of an operator, of its inputs or its attributes */
  PL_REFERENCE = 12,
  PL_ATTRIBUTE = 13,   /* word `expected` of the op's attributes has value `seen` */
  PL_SHAPE = 14,       /* shapes do not fit, or the output's is not what the op makes */
  PL_ORDER = 15,       /* value `seen` is read before it is made, made twice or never */
  PL_BAND_NUMBER = 16, /* there is no such band or plane */
  PL_BAND_TWICE = 17,
  PL_BAND_SIZE = 18,
  PL_BAND_FILTER = 19,  /* row `seen` has a filter that PNG does not know */
  PL_BAND_INDEX = 20,   /* index `seen` is beyond the palette, behind the last one or a row */
  PL_NOT_READY = 21,    /* bands are missing */
  PL_PLANE = 22,        /* a field of plane `seen`, or no tensor reads it */
  PL_MASK_FIRST = 23,   /* a plane was handed in before all of its mask */
  PL_MASK_COUNT = 24,   /* the mask leaves `seen` pixels, the plane has `expected` */
  PL_RECIPE = 25,       /* field `seen` of a recipe, counted from 1 */
  PL_NO_PRECISION = 26, /* no such instruction set here computes in the precision */
  PL_FORM = 27,         /* a photo is to be `seen` wide, `expected` high: one grows, one shrinks */
  PL_CUT = 28           /* of it `seen` x `expected` would be left: neither is the recipe's */
} pl_code;

/* What went wrong, and where. `op`, `tensor` are -1 where they say nothing. */
typedef struct {
  int32_t code;   /* a pl_code; 0 is success */
  int32_t op;     /* number of the op in the plan */
  int32_t tensor; /* number of the tensor in the plan */
  uint64_t seen;  /* the number that was found, where one says more */
  uint64_t expected;
} pl_status;

/* Engine memory in bytes. */
typedef struct {
  uint64_t weights; /* packed indices, palettes, constants as the engine holds them */
  uint64_t packed;  /* what the same weights take at their bit width without any padding */
  uint64_t arena;   /* activations */
  uint64_t scratch; /* decoded panels and the like, all threads together */
} pl_memory;

/* How numbers are multiplied. In PL_BF16 the inputs and weights of every conv2d that is not
 * depthwise, and of every linear of many rows, are rounded to bfloat16 (8 significant bits,
 * nearest, ties to even) and their products summed in float32; all else is as in PL_FP32. */
typedef enum { PL_FP32 = 0, PL_BF16 = 1 } pl_precision;

/* Names of the instruction sets that this build holds and this machine can run in a precision, best
 * first: for PL_BF16 there may be none. */
size_t pl_target_count(pl_precision precision);
const char* pl_target_name(pl_precision precision, size_t number);

/* Judges every field of the plan and lays out memory. `target` NULL: the best one that has the
 * precision; PL_NO_PRECISION where there is none, and nothing is computed otherwise instead. The
 * plan's bytes are copied where they are needed; the caller may free them afterwards. */
pl_status pl_open(const uint8_t* plan, size_t plan_bytes, const char* target,
                  pl_precision precision, uint32_t threads, pl_lens** lens);

/* The same weights in another graph, for a picture of another size, say: a plan with the tensors of
 * `other`, which is ready and shares its packed weights, target and precision. Nothing is fed.
 * `other` may be closed first. PL_TENSOR where a tensor has another shape or kind, PL_NOT_READY;
 * that the values are the same is for the caller to know. */
pl_status pl_open_beside(const pl_lens* other, const uint8_t* plan, size_t plan_bytes,
                         uint32_t threads, pl_lens** lens);

/* Hands in one band of a plane, as inflated PNG scanlines (filters not undone). Bands may come in
 * any order, but a tensor's mask before its plane; each exactly once. `rows` is changed in place.
 * Where there was no memory for a band, no further one is taken. */
pl_status pl_feed(pl_lens* lens, uint32_t plane, uint32_t band, uint8_t* rows, size_t row_bytes);

/* Floats of one image in an input or output; 0 where there is no such one. */
size_t pl_input_floats(const pl_lens* lens, size_t number);
size_t pl_output_floats(const pl_lens* lens, size_t number);

/* True when all bands are there. pl_run refuses before. */
int pl_is_ready(const pl_lens* lens);

/* Runs `batch` images: each input holds batch x its plan shape, each output likewise. */
pl_status pl_run(pl_lens* lens, uint32_t batch, const float* const* inputs, float* const* outputs);

/* How a photo becomes the network's input: what a lens says of itself. */
typedef struct {
  uint32_t resize; /* 0: none; 1: to exactly this size; 2: the shorter side, aspect ratio kept;
                      3: as ccv forms pictures, in floats */
  uint32_t resize_height, resize_width;
  uint32_t filter;        /* 0 nearest, 1 bilinear, 2 bicubic, 3 box, 4 hamming, 5 lanczos */
  uint32_t height, width; /* of the crop, and so of the input */
  uint32_t channels;      /* 0 RGB, 1 BGR, 2 gray */
  float mean[3], scale[3];
  /* NULL, or a half (little-endian) for each value of the input. Where resize is 3 floats, of
   * resize_height x resize_width pixels, channels side by side. */
  const uint8_t* mean_picture;
} pl_recipe;

/* The inputs for `crops` views (1, 5 or 10) of a photo: resized, cropped, (pixel - mean) / scale,
 * one view after the other as (channels, height, width). The photo comes in rows, from the top, as
 * many at a time as is convenient, of pixels of 3 bytes or of 4, whose last is not looked at. The
 * same floats come out on every machine. The recipe's mean picture is read until pl_photo_end,
 * which frees the photo and may be given NULL for the inputs, to free it only. */
typedef struct pl_photo pl_photo;
pl_status pl_photo_begin(const pl_recipe* recipe, uint32_t width, uint32_t height,
                         uint32_t pixel_bytes, uint32_t crops, pl_photo** photo);
/* The same of what a network of ccv's slides over (resize 3 only): the middle of the formed photo,
 * a patch and as many steps as fit, then its mirror image if `mirrored` is not 0. Its size is told;
 * the inputs are (channels, cut_height, cut_width) of each. */
pl_status pl_photo_begin_cut(const pl_recipe* recipe, uint32_t width, uint32_t height,
                             uint32_t pixel_bytes, uint32_t step, int mirrored, pl_photo** photo,
                             uint32_t* cut_width, uint32_t* cut_height);
pl_status pl_photo_rows(pl_photo* photo, const uint8_t* pixels, uint32_t rows);
pl_status pl_photo_end(pl_photo* photo, float* inputs);

pl_memory pl_memory_of(const pl_lens* lens);
/* Of pl_memory's weights, what is there once for all lenses opened beside each other. */
uint64_t pl_shared_of(const pl_lens* lens);
const char* pl_target_of(const pl_lens* lens);
pl_precision pl_precision_of(const pl_lens* lens);
void pl_close(pl_lens* lens);

#ifdef __cplusplus
}
#endif

#endif
