// Packed panels decoded to words of inputs (words-inl.h).
#ifndef POCKETLENS_KERNELS_DECODE_WORDS_INL_H
#define POCKETLENS_KERNELS_DECODE_WORDS_INL_H

#include "kernels/decode-inl.h"
#include "kernels/words-inl.h"

namespace pocketlens {
namespace {

#if defined(POCKETLENS_BF16)

// Any encoding, any palettes, by way of floats.
void decode_aside(const Weights& w, int32_t panel, int32_t k_begin, int32_t k_end, float* out,
                  size_t columns) {
  constexpr int32_t kPart = 64;
  alignas(64) float part[kPart * kLanes];
  for (int32_t k = k_begin; k < k_end; k += kPart) {
    const int32_t count = least(kPart, k_end - k);
    decode(w, panel, k, k + count, part, kLanes);
    pack_words(part, count, out, columns);
    out += kPart / kWordInputs * columns;
  }
}

// Packed rows of kInputs inputs each, from registers to words.
template <int kInputs, class LookUp>
POCKETLENS_INLINE void decode_word_rows(const uint8_t* row, int32_t rows, float* out,
                                        size_t columns, LookUp look_up) {
  for (; rows > 0; --rows, row += kRowBytes, out += kInputs / kWordInputs * columns) {
    __builtin_prefetch(row + 16 * kRowBytes);
    V first = {};
    look_up(row, [&](int k, int, V v) POCKETLENS_SINK {
      if (k % kWordInputs == 0) {
        first = v;
      } else {
        store(out + (size_t)(k / kWordInputs) * columns, word_of(first, v));
      }
    });
  }
}

template <int kBits>
void decode_small_words(const uint8_t* row, int32_t rows, const uint16_t* palette, float* out,
                        size_t columns) {
  const SmallTable table = load_small_table(palette, kBits);
  decode_word_rows<32 / kBits>(row, rows, out, columns,
                               [&](const uint8_t* at, auto sink)
                                   POCKETLENS_SINK { look_up_small<kBits>(at, table, sink); });
}

// Whole packed rows of a panel whose outputs share a palette.
void decode_whole_rows(const Weights& w, int32_t panel, int32_t first_row, int32_t rows, float* out,
                       size_t columns) {
  const uint8_t* row = panel_at(w, panel) + (size_t)first_row * kRowBytes;
  const uint16_t* palette = palette_of(w, panel * kLanes);
  switch (w.encoding) {
    case Encoding::kIndex1:
      return decode_small_words<1>(row, rows, palette, out, columns);
    case Encoding::kIndex2:
      return decode_small_words<2>(row, rows, palette, out, columns);
    case Encoding::kIndex4:
      return decode_small_words<4>(row, rows, palette, out, columns);
    default:
      break;
  }
  const ByteTable table = load_byte_table(palette);
  decode_word_rows<4>(row, rows, out, columns, [&](const uint8_t* at, auto sink) POCKETLENS_SINK {
    look_up_byte(at, table, sink);
  });
}

// Inputs [k_begin, k_end) of a panel; k_begin is even.
void decode_words(const Weights& w, int32_t panel, int32_t k_begin, int32_t k_end, float* out,
                  size_t columns) {
  const int32_t inputs = packed_inputs(w.encoding);
  const int32_t first = ceil_div(k_begin, inputs), last = k_end / inputs;
  if (inputs == 1 || last <= first || palette_end(w, panel, 0) < kLanes) {
    return decode_aside(w, panel, k_begin, k_end, out, columns);
  }
  const auto place = [&](int32_t k) { return (size_t)((k - k_begin) / kWordInputs) * columns; };
  decode_aside(w, panel, k_begin, first * inputs, out, columns);
  decode_whole_rows(w, panel, first, last - first, out + place(first * inputs), columns);
  decode_aside(w, panel, last * inputs, k_end, out + place(last * inputs), columns);
}

#else

void decode_words(const Weights& w, int32_t panel, int32_t k_begin, int32_t k_end, float* out,
                  size_t columns) {
  decode(w, panel, k_begin, k_end, out, columns);
}

#endif

}  // namespace
}  // namespace pocketlens

#endif
