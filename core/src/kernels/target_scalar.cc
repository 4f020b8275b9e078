// The table of the plain loops.
#include "kernels/scalar.h"
#include "kernels/targets.h"

namespace pocketlens {

const KernelTable kScalarTable = {
    "scalar",
    nullptr,
    nullptr,
    scalar::pack_index,
    scalar::decode,
    scalar::conv2d_items,
    scalar::conv2d_scratch_bytes,
    scalar::conv2d_run,
    scalar::conv2d_items,
    scalar::conv2d_scratch_bytes,
    scalar::depthwise_run,
    scalar::linear_items,
    scalar::linear_scratch_bytes,
    scalar::linear_run,
    scalar::pool,
    scalar::activate,
    scalar::softmax,
    scalar::normalize,
    scalar::lrn,
    scalar::matmul,
};

}  // namespace pocketlens
