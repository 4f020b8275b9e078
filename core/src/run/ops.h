// How the ops of a plan become steps: one function an operator, one file a family.
#ifndef POCKETLENS_RUN_OPS_H
#define POCKETLENS_RUN_OPS_H

#include "run/builder.h"

namespace pocketlens {

// Each appends the steps of `op` to the builder; false: no memory.
bool build_conv2d(Builder& builder, const Op& op);
bool build_linear(Builder& builder, const Op& op);
bool build_matmul(Builder& builder, const Op& op);
bool build_pool(Builder& builder, const Op& op);
bool build_reduce(Builder& builder, const Op& op);
bool build_unary(Builder& builder, const Op& op);
bool build_binary(Builder& builder, const Op& op);
bool build_concat(Builder& builder, const Op& op);
bool build_slice(Builder& builder, const Op& op);
bool build_pad(Builder& builder, const Op& op);
bool build_reshape(Builder& builder, const Op& op);
bool build_transpose(Builder& builder, const Op& op);
bool build_softmax(Builder& builder, const Op& op);
bool build_lrn(Builder& builder, const Op& op);
bool build_layer_norm(Builder& builder, const Op& op);
bool build_resize(Builder& builder, const Op& op);
bool build_expand(Builder& builder, const Op& op);

// The conv2d, norm and pool that is_normed_pool() found, band by band, where what is between them
// would be large; else nothing is done and *built stays false (ops_banded.cc).
bool build_banded(Builder& builder, const Op& conv, const Op& norm, const Op& pool, bool* built);

// A copy of a whole value in another form; halos are filled with `fill` (ops_convert.cc).
Step* new_convert(const Shape& shape, int32_t from, Form from_form, int32_t to, Form to_form,
                  float fill);

// The same to a form in bfloat16, halos zero (ops_round.cc).
Step* new_round(const Shape& shape, int32_t from, Form from_form, int32_t to, Form to_form);

// A constant of `count` floats, filled up with zeros to a multiple of 16 (bias).
bool read_constant(Builder& builder, Reference reference, size_t count, Memory* memory);

// Values of a float or half tensor.
void read_values(const Tensor& tensor, float* to);

Activation activation_of(const Op& op, uint32_t at);

}  // namespace pocketlens

#endif
