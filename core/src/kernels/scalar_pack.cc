// Packed panels, plainly: indices into their words, and back to floats one by one.
#include <string.h>

#include "kernels/panel.h"
#include "kernels/scalar.h"

namespace pocketlens {

size_t panel_bytes(Encoding encoding, int32_t depth) {
  switch (encoding) {
    case Encoding::kFloat:
      return (size_t)depth * kLanes * sizeof(float);
    case Encoding::kHalf:
      return (size_t)depth * kLanes * sizeof(uint16_t);
    default:
      return (size_t)ceil_div(depth, packed_inputs(encoding)) * kLanes * sizeof(uint32_t);
  }
}

namespace scalar {

// The byte order of kIndex8 here is [k][16].
void pack_index(Encoding encoding, const uint8_t* indices, int32_t outputs, int32_t depth,
                uint8_t* panel) {
  memset(panel, 0, panel_bytes(encoding, depth));
  const int32_t bits = index_bits(encoding), inputs = packed_inputs(encoding);
  for (int32_t o = 0; o < outputs; ++o) {
    for (int32_t k = 0; k < depth; ++k) {
      const uint32_t index = indices[(size_t)o * (size_t)depth + (size_t)k];
      if (bits == 8) {
        panel[(size_t)k * kLanes + (size_t)o] = (uint8_t)index;
        continue;
      }
      uint8_t* at = panel + ((size_t)(k / inputs) * kLanes + (size_t)o) * sizeof(uint32_t);
      uint32_t word;
      memcpy(&word, at, sizeof word);
      word |= index << (k % inputs * bits);
      memcpy(at, &word, sizeof word);
    }
  }
}

namespace {

float weight_at(const Weights& w, int32_t panel, int32_t k, int32_t lane) {
  const uint8_t* bytes = panel_at(w, panel);
  const size_t place = (size_t)k * kLanes + (size_t)lane;
  if (w.encoding == Encoding::kFloat) {
    float value;
    memcpy(&value, bytes + place * sizeof value, sizeof value);
    return value;
  }
  if (w.encoding == Encoding::kHalf) {
    uint16_t value;
    memcpy(&value, bytes + place * sizeof value, sizeof value);
    return half_to_float(value);
  }
  const uint16_t* palette = palette_of(w, panel * kLanes + lane);
  if (w.encoding == Encoding::kIndex8) return half_to_float(palette[bytes[place]]);
  const int32_t bits = index_bits(w.encoding), inputs = packed_inputs(w.encoding);
  uint32_t word;
  memcpy(&word, bytes + ((size_t)(k / inputs) * kLanes + (size_t)lane) * sizeof word, sizeof word);
  return half_to_float(palette[word >> (k % inputs * bits) & ((1u << bits) - 1)]);
}

}  // namespace

void decode(const Weights& w, int32_t panel, int32_t k_begin, int32_t k_end, float* out,
            size_t out_stride) {
  for (int32_t k = k_begin; k < k_end; ++k, out += out_stride) {
    for (int32_t lane = 0; lane < kLanes; ++lane) out[lane] = weight_at(w, panel, k, lane);
  }
}

}  // namespace scalar
}  // namespace pocketlens
