// See feedback.h. kLanes outputs go side by side, so that a column of U serves them all; moves of
// columns beyond the current kBlock are put off and done at once, while they are in registers.
#include "palette/feedback.h"

#include <math.h>
#include <string.h>

#include <memory>
#include <new>

#include "palette/choose_level.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define POCKETLENS_WIDE 1
#endif

namespace pocketlens::palette {
namespace {

constexpr size_t kLanes = 16;
constexpr size_t kBlock = 32;

using Lanes = float[kLanes];

// columns[t] -= sum over j of errors[j] x factor[j, t]; `factor` points at row 0 of the block.
using Move = void (*)(const Lanes* errors, size_t count, const float* factor, size_t stride,
                      Lanes* columns, size_t first, size_t end);

inline __attribute__((always_inline)) void move_any(const Lanes* errors, size_t count,
                                                    const float* factor, size_t stride,
                                                    Lanes* columns, size_t first, size_t end) {
  for (size_t t = first; t < end; ++t) {
    Lanes sum;
    memcpy(sum, columns[t], sizeof sum);
    for (size_t j = 0; j < count; ++j) {
      const float u = factor[j * stride + t];
      for (size_t lane = 0; lane < kLanes; ++lane) sum[lane] -= errors[j][lane] * u;
    }
    memcpy(columns[t], sum, sizeof sum);
  }
}

void move_plain(const Lanes* errors, size_t count, const float* factor, size_t stride,
                Lanes* columns, size_t first, size_t end) {
  move_any(errors, count, factor, stride, columns, first, end);
}

#if POCKETLENS_WIDE
// No FMA: every instruction set rounds alike.
__attribute__((target("avx2"))) void move_avx2(const Lanes* errors, size_t count,
                                               const float* factor, size_t stride, Lanes* columns,
                                               size_t first, size_t end) {
  move_any(errors, count, factor, stride, columns, first, end);
}

Move choose_move() { return __builtin_cpu_supports("avx2") ? move_avx2 : move_plain; }
#else
Move choose_move() { return move_plain; }
#endif

// Up to kLanes outputs of one group.
struct Strip {
  const float* weights;
  const double* worth;
  size_t outputs;
  size_t columns;
  uint8_t* indices;
  float* targets;
};

void code_column(const Strip& strip, size_t j, float diagonal, const Codebook& codebook,
                 double lagrangian, const Lanes& column, Lanes& errors, Tally* tally) {
  const double curvature = 1.0 / (static_cast<double>(diagonal) * diagonal);
  for (size_t lane = 0; lane < kLanes; ++lane) {
    errors[lane] = 0.0f;
    if (lane >= strip.outputs) continue;
    const float x = column[lane];
    const double worth = strip.worth[lane];
    const size_t level = choose_level(x, curvature * worth, lagrangian, codebook);
    const size_t place = lane * strip.columns + j;
    strip.indices[place] = static_cast<uint8_t>(level);
    strip.targets[place] = x;
    const double e = static_cast<double>(x) - codebook.values[level];
    errors[lane] = static_cast<float>(e / diagonal);
    tally->distortion += worth * curvature * e * e;
    tally->bits += codebook.bits[level];
  }
}

void code_strip(const Strip& strip, const float* factor, const Codebook& codebook,
                double lagrangian, Move move, Lanes* columns, Tally* tally) {
  const size_t count = strip.columns;
  for (size_t j = 0; j < count; ++j) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      columns[j][lane] = lane < strip.outputs ? strip.weights[lane * count + j] : 0.0f;
    }
  }
  Lanes errors[kBlock];
  for (size_t first = 0; first < count; first += kBlock) {
    const size_t end = first + kBlock < count ? first + kBlock : count;
    for (size_t j = first; j < end; ++j) {
      const float* row = factor + j * count;
      code_column(strip, j, row[j], codebook, lagrangian, columns[j], errors[j - first], tally);
      move(errors + (j - first), 1, row, count, columns, j + 1, end);
    }
    move(errors, end - first, factor + first * count, count, columns, end, count);
  }
}

}  // namespace

bool code_rows(const Rows& rows, const float* factors, const Codebook& codebook, double lagrangian,
               uint8_t* indices, float* targets, Tally* tally) {
  std::unique_ptr<Lanes[]> columns(new (std::nothrow) Lanes[rows.columns]);
  if (!columns) return false;
  const Move move = choose_move();
  *tally = {0.0, 0.0};
  const size_t group_outputs = rows.outputs / rows.groups;
  for (size_t group = 0; group < rows.groups; ++group) {
    const float* factor = factors + group * rows.columns * rows.columns;
    for (size_t in_group = 0; in_group < group_outputs; in_group += kLanes) {
      const size_t left = group_outputs - in_group;
      const size_t output = group * group_outputs + in_group;
      const size_t place = output * rows.columns;
      const Strip strip = {rows.weights + place, rows.worth + output, left < kLanes ? left : kLanes,
                           rows.columns,         indices + place,     targets + place};
      code_strip(strip, factor, codebook, lagrangian, move, columns.get(), tally);
    }
  }
  return true;
}

bool add_normal_equations(const Rows& rows, const float* covariances, const uint8_t* indices,
                          size_t size, double* matrix, double* vector) {
  const size_t columns = rows.columns;
  std::unique_ptr<float[]> sums(new (std::nothrow) float[size * columns]);
  if (!sums) return false;
  const size_t group_outputs = rows.outputs / rows.groups;
  for (size_t output = 0; output < rows.outputs; ++output) {
    const float* covariance = covariances + output / group_outputs * columns * columns;
    const uint8_t* row = indices + output * columns;
    const float* weights = rows.weights + output * columns;
    memset(sums.get(), 0, size * columns * sizeof(float));
    for (size_t j = 0; j < columns; ++j) {
      float* sum = sums.get() + row[j] * columns;
      const float* from = covariance + j * columns;
      for (size_t t = 0; t < columns; ++t) sum[t] += from[t];
    }
    const double worth = rows.worth[output];
    for (size_t level = 0; level < size; ++level) {
      const float* sum = sums.get() + level * columns;
      double* into = matrix + level * size;
      double projection = 0.0;
      for (size_t t = 0; t < columns; ++t) {
        into[row[t]] += worth * sum[t];
        projection += static_cast<double>(sum[t]) * weights[t];
      }
      vector[level] += worth * projection;
    }
  }
  return true;
}

}  // namespace pocketlens::palette
