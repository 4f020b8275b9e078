// linear and matmul, on plain arrays.
#include <new>

#include "run/ops.h"

namespace pocketlens {
namespace {

class LinearStep final : public Step {
 public:
  size_t items(size_t images) const override { return kernels->linear_items(for_images(images)); }
  size_t scratch_bytes(size_t images) const override {
    return kernels->linear_scratch_bytes(for_images(images));
  }
  bool is_by_rows() const override { return true; }
  bool decodes_weights() const override { return true; }
  void run(const Frame& frame, size_t begin, size_t end, void* scratch) const override {
    Linear now = for_images(frame.images);
    now.input = frame.at(reads[0]);
    now.output = frame.at(writes);
    kernels->linear_run(now, begin, end, scratch);
  }

  const KernelTable* kernels = nullptr;
  Linear linear = {};
  Memory bias;

 private:
  Linear for_images(size_t images) const {
    Linear more = linear;
    more.batch *= static_cast<int32_t>(images);
    return more;
  }
};

// c = scale a b; an item is a run of rows of one matrix, for which b is packed anew.
class MatmulStep final : public Step {
 public:
  static constexpr int64_t kFewItems = 8;  // of all matrices together, so that threads have work
  static constexpr int32_t kFewestRows = 24, kMostRows = 192;

  size_t items(size_t) const override { return static_cast<size_t>(matrices) * row_items(); }
  void run(const Frame& frame, size_t begin, size_t end, void*) const override {
    const float* a = frame.at(reads[0]);
    const float* b = frame.at(reads[1]);
    float* c = frame.at(writes);
    for (size_t item = begin; item < end; ++item) {
      const size_t matrix = item / row_items();
      const int32_t first = static_cast<int32_t>(item % row_items()) * rows;
      const int32_t count = m - first < rows ? m - first : rows;
      size_t a_at = 0, b_at = 0, rest = matrix;
      for (int axis = kMaxRank - 1; axis >= 0; --axis) {
        const size_t place = rest % static_cast<size_t>(dims[axis]);
        rest /= static_cast<size_t>(dims[axis]);
        a_at += place * a_strides[axis];
        b_at += place * b_strides[axis];
      }
      frame.kernels->matmul(a + a_at + static_cast<size_t>(first) * k, b + b_at,
                            c + (matrix * m + static_cast<size_t>(first)) * n, count, n, k, k,
                            transposed ? k : n, n, transposed, scale);
    }
  }

  size_t row_items() const { return static_cast<size_t>((m + rows - 1) / rows); }

  // Once m and matrices are known.
  void share_out_rows() {
    const int64_t wanted = (kFewItems + matrices - 1) / matrices;
    const int64_t least = (m + kMostRows - 1) / kMostRows, most = m / kFewestRows;
    int64_t count = wanted < most ? wanted : most;
    if (count < least) count = least;
    rows = static_cast<int32_t>((m + count - 1) / count);
  }

  int64_t matrices = 1;
  int32_t rows = 0;  // of an item
  int32_t m = 0, n = 0, k = 0;
  int transposed = 0;
  float scale = 1;
  int32_t dims[kMaxRank] = {1, 1, 1, 1, 1, 1};  // leading axes of the output
  size_t a_strides[kMaxRank] = {}, b_strides[kMaxRank] = {};
};

// Strides of the leading axes of `shape`, 0 where it is broadcast against `rank` axes.
void leading_strides(const Shape& shape, int32_t rank, size_t* strides) {
  size_t stride = static_cast<size_t>(shape.dims[shape.rank - 1]) * shape.dims[shape.rank - 2];
  for (int32_t i = shape.rank - 3; i >= 0; --i) {
    strides[i + rank - shape.rank] = shape.dims[i] == 1 ? 0 : stride;
    stride *= static_cast<size_t>(shape.dims[i]);
  }
}

}  // namespace

bool build_linear(Builder& builder, const Op& op) {
  LinearStep* step = new (std::nothrow) LinearStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Shape& x = builder.shape(op.input(0));
  const Shape& w = builder.shape(op.input(1));
  step->kernels = &builder.kernels;
  step->linear.batch = static_cast<int32_t>(x.elements() / w.dims[1]);
  step->linear.weights = builder.weights->weights(op.input(1).number());
  step->linear.activation = activation_of(op, 0);
  if (!read_constant(builder, op.input(2), static_cast<size_t>(w.dims[0]), &step->bias)) {
    return false;
  }
  step->linear.bias = step->bias.floats();
  const int32_t input = builder.plain(op.input(0));
  if (input < 0 || !step->reads.push(input)) return false;
  step->writes = builder.make(op, Layout::kPlain);
  return step->writes >= 0 && builder.add(owned.release());
}

bool build_matmul(Builder& builder, const Op& op) {
  MatmulStep* step = new (std::nothrow) MatmulStep;
  Owned<Step> owned(step);
  if (step == nullptr) return false;
  const Shape& a = builder.shape(op.input(0));
  const Shape& b = builder.shape(op.input(1));
  const Shape& c = builder.plan.values[op.output];
  step->m = c.dims[c.rank - 2];
  step->n = c.dims[c.rank - 1];
  step->k = a.dims[a.rank - 1];
  step->transposed = op.integer(0);
  step->scale = op.number(1);
  for (int32_t i = 0; i < c.rank - 2; ++i) {
    step->dims[i] = c.dims[i];
    step->matrices *= c.dims[i];
  }
  step->share_out_rows();
  // The output's leading axes stand at the front of dims, so that trailing ones of 1 change
  // nothing.
  leading_strides(a, c.rank, step->a_strides);
  leading_strides(b, c.rank, step->b_strides);
  const int32_t first = builder.plain(op.input(0));
  const int32_t second = first < 0 ? -1 : builder.plain(op.input(1));
  if (second < 0 || !step->reads.push(first) || !step->reads.push(second)) return false;
  step->writes = builder.make(op, Layout::kPlain);
  return step->writes >= 0 && builder.add(owned.release());
}

}  // namespace pocketlens
