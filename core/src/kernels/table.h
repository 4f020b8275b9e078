// What a kernel is given and promises: the contract between run/ (which lays out memory and walks
// the plan) and the kernels (one source, compiled once per instruction set).
//
// Blocked layout, the same on every instruction set: an array (N,C,H,W) is stored as
// [N][ceil(C/16)][H][W][16]; the lanes of channels that do not exist hold anything and are never
// read as if they meant something. All other ranks, and 4-axis arrays where the runner so
// decides, are plain row-major.
//
// Work is cut into items whose number and bounds depend on shapes alone, never on how many
// threads there are; so results are equal for any number of threads.
#ifndef POCKETLENS_KERNELS_TABLE_H
#define POCKETLENS_KERNELS_TABLE_H

#include <stddef.h>
#include <stdint.h>

namespace pocketlens {

constexpr int kLanes = 16;  // channels of a block, outputs of a panel

// Numbers are those of ACTIVATIONS in graph/ops.py.
struct Activation {
  int32_t kind;
  float alpha, beta;
};

enum class Encoding : uint8_t { kFloat, kHalf, kIndex1, kIndex2, kIndex4, kIndex8 };

// Weights of a conv2d or a linear as the engine holds them: panels of 16 outputs.
//
// Inputs of an output are counted k = 0 .. depth-1; for a conv2d in the order
// (block of 16 input channels, ky, kx, channel in block), so that a panel is read in the order in
// which the micro-kernel walks the picture; depth is exactly C/groups x KH x KW, no padding.
// For a depthwise conv2d (groups == C == O) depth is KH x KW.
//
//   kFloat, kHalf   [panel][depth][16]
//   kIndex8         [panel][depth rounded up to 4] [16] bytes, in an order that pack_index() and
//                   decode() share and nobody else knows
//   kIndex4         [panel][depth rounded up to 8 / 8][16] u32: lane o holds 8 consecutive k of
//                   output o, the first in the low nibble; kIndex2: 16 consecutive k, kIndex1:
//                   32. A target may order the 64 bytes of a row otherwise.
//
// Outputs beyond `outputs` in the last panel have index 0 / value 0.
struct Weights {
  Encoding encoding;
  int32_t outputs;
  int32_t depth;
  const uint8_t* panels;
  size_t panel_bytes;
  // half precision, [group][stride]; stride is 2^bits, filled up with zeros, so no index can
  // reach outside. An output o uses group o / group_rows.
  const uint16_t* palettes;
  int32_t palette_stride;
  int32_t group_rows;
};

// How a conv2d is computed. kQuickest: by a rule on its shape alone; the others are for tests and
// benchmarks. kWinograd: where a shape does not allow it, plainly.
enum class ConvWay : uint8_t { kQuickest, kPlain, kWinograd };

// How numbers are multiplied. kBf16: inputs and weights of a conv2d (not of a depthwise one) and of
// a linear of many rows are rounded to bfloat16, their products summed in float32 (words-inl.h).
enum class Precision : uint8_t { kFp32, kBf16 };

// One conv2d on an input that is already padded (no bounds are checked while it runs); but a
// depthwise one pads it itself: there the input is in_h x in_w, with pad_top rows of zeros above
// and pad_left columns before it, and as many below and after as the output asks for.
//   input   element (n, block, y, x, lane) at
//           n*in_image + block*in_block + y*in_row + x*in_pixel + lane   (floats)
//           A picture of few channels may be compact: one block, in_pixel == channels.
//           In kBf16 (where it is not depthwise) the elements are bfloat16, two bytes each, and
//           pairs of them are read: strides are even, but in_pixel of a compact picture only where
//           stride_w or dilation_w ask for it, when a pixel may be one larger than its channels; a
//           pair may reach one channel beyond the last, or one element beyond a row's last pixel,
//           and multiplies that by zero, so it must not be infinite or not a number.
//   output, residual: blocked, out_image floats an image, [ceil(O/16)][OH][OW][16]
//   bias    ceil(O/16)*16 floats, 0 beyond O
struct Conv2d {
  int32_t images, channels, outputs, groups;
  int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  int32_t out_h, out_w;
  int32_t in_h, in_w, pad_top, pad_left;  // of a depthwise conv2d
  size_t in_image, in_block, in_row, in_pixel, out_image;
  const float* input;
  const float* bias;      // never null
  const float* residual;  // may be null
  float* output;
  Weights weights;
  Activation activation;
  ConvWay way;
  // May be null. A factor of every channel of the input (squeeze-excite), which weights are
  // multiplied by as they are decoded; only where groups is 1 and way is kPlain.
  const float* input_scale;
  // Of a table of kBf16 alone: the output is rounded to bfloat16 as well, two bytes an element.
  // Only where rounds_output() allows it, and without a residual.
  bool round_output;
};

// y[b][o] = activation(sum_k w[o][k] x[b][k] + bias[o]);  rows of x and y are contiguous.
struct Linear {
  int32_t batch;
  const float* input;  // [batch][depth]
  const float* bias;   // ceil(O/16)*16 floats
  float* output;       // [batch][outputs], exactly; nothing beyond is written
  Weights weights;
  Activation activation;
};

// Neighbours in an output row of a pool, all of whose windows have the same taps: those of pixel p
// begin at input + p * step. The maximum (nothing below minus infinity, which no taps give), or
// scale times the sum.
struct PoolRow {
  const float* input;
  size_t step, right, down;  // floats from pixel to pixel, tap to tap, row to row of a window
  int32_t rows, columns;     // of taps
  int32_t pixels;
  bool average;
  float scale;
  float* output;  // [pixels][16]
};

// Rows of `size` values, each brought to mean 0 and variance 1, scaled and shifted: (x - mean) /
// sqrt(variance + epsilon) * scale[k] + bias[k]. Value k of row r stands at
// r * row + k / 16 * block + k % 16: a plain matrix has row = size and block = 16; the rows of a
// blocked picture are its pixels, row = 16 and block = 16 pixels, and lanes beyond the last value
// may be written. Any other row has block = 16.
struct NormRows {
  const float* input;
  float* output;  // laid out like the input; may be the same
  size_t row, block;
  size_t rows, size;
  // May be null. [size]; of a blocked picture filled up to whole blocks.
  const float *scale, *bias;
  float epsilon;
};

// x / (bias + scale * sum of squares of the channels c - before .. c + after)^beta of neighbouring
// pixels of a blocked picture: value of pixel p, channel c at c / 16 * block + p * 16 + c % 16.
// Only channels of c's own group, of `group` channels, are counted.
struct LrnPixels {
  const float* input;
  float* output;  // laid out like the input; may be the same
  size_t block;
  size_t pixels;
  size_t channels, group;  // channels is a multiple of group
  size_t before, after;    // below group
  float scale, beta, bias;
  float* squares;  // kLrnPixels * line floats, contents arbitrary
  size_t line;     // lrn_line()
};

constexpr size_t kLrnPixels = 8;

// Zeros before, between and after groups of squares: whole vectors, so that none is torn.
constexpr size_t lrn_gap(size_t before, size_t after) {
  return ((before > after ? before : after) + kLanes - 1) / kLanes * kLanes;
}

// Floats that a pixel's squares take; the last vector may stick out.
constexpr size_t lrn_line(size_t channels, size_t group, size_t before, size_t after) {
  const size_t gap = lrn_gap(before, after);
  return (gap + channels / group * (group + gap) + 2 * kLanes - 1) / kLanes * kLanes;
}

// What one instruction set offers. Every function is pure: its arguments are all it knows.
// items(): how many work items; run(): items [begin, end); scratch: scratch_bytes() of one thread,
// 64-byte aligned, contents arbitrary.
struct KernelTable {
  const char* name;  // "avx512", "avx2", "sse2", "neon", "scalar"
  // Null: all is float32. Else y[i] = x[i] in bfloat16, to nearest, ties to even.
  void (*round_to_bf16)(const float* x, uint16_t* y, size_t count);
  bool (*rounds_output)(const Conv2d&, bool depthwise);

  // Writes indices [outputs][depth] (bytes, in the k order above) of one panel into its packed
  // form.
  void (*pack_index)(Encoding, const uint8_t* indices, int32_t outputs, int32_t depth,
                     uint8_t* panel);
  // Decodes inputs [k_begin, k_end) of one panel to floats [k_end - k_begin][16]; the row of input
  // k stands at out + (k - k_begin) * out_stride.
  void (*decode)(const Weights&, int32_t panel, int32_t k_begin, int32_t k_end, float* out,
                 size_t out_stride);

  size_t (*conv2d_items)(const Conv2d&);
  size_t (*conv2d_scratch_bytes)(const Conv2d&);
  void (*conv2d_run)(const Conv2d&, size_t begin, size_t end, void* scratch);

  size_t (*depthwise_items)(const Conv2d&);  // groups == channels == outputs
  size_t (*depthwise_scratch_bytes)(const Conv2d&);
  void (*depthwise_run)(const Conv2d&, size_t begin, size_t end, void* scratch);

  size_t (*linear_items)(const Linear&);
  size_t (*linear_scratch_bytes)(const Linear&);
  void (*linear_run)(const Linear&, size_t begin, size_t end, void* scratch);

  void (*pool)(const PoolRow&);
  // y[i] = activation(x[i]); y may be x.
  void (*activate)(const float* x, float* y, size_t count, Activation);
  // y[i] = exp(x[i] - m) / sum of exp(x[k] - m), m the greatest; y may be x. Not for no values.
  void (*softmax)(const float* x, float* y, size_t size);
  void (*normalize)(const NormRows&);
  void (*lrn)(const LrnPixels&);
  // c = scale a b on plain row-major matrices: a [m][k] (row stride lda), b [k][n] (ldb) or [n][k]
  // with transpose_b, c [m][n] (ldc).
  void (*matmul)(const float* a, const float* b, float* c, int32_t m, int32_t n, int32_t k,
                 size_t lda, size_t ldb, size_t ldc, int transpose_b, float scale);
};

// Bytes of one panel. The same on every instruction set.
size_t panel_bytes(Encoding encoding, int32_t depth);

// Tables in this build that this machine can run, best first. The last of kFp32 is always scalar:
// the plain loops that say what every kernel means. Of kBf16 there may be none.
size_t kernel_table_count(Precision precision = Precision::kFp32);
const KernelTable& kernel_table(size_t number, Precision precision = Precision::kFp32);

}  // namespace pocketlens

#endif
