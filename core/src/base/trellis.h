// The trellis of palette numbers: what a plane's number means depends on those above it.
//
// A palette of 2 x n values stands in ascending order; value f is of subset f mod 4 (Ungerboeck's
// partition). A column of weights runs down the outputs through 8 states, from state 0. An even
// state reads the values with even places, an odd one those with odd places: number i is then value
// 2 i + state mod 2, and whether i is even or odd says the next state (Marcellin and Fischer,
// "Trellis coded quantization", 1990). docs/format/lens.md has it for every reader.
#ifndef POCKETLENS_BASE_TRELLIS_H
#define POCKETLENS_BASE_TRELLIS_H

#include <stddef.h>
#include <stdint.h>

namespace pocketlens {

constexpr uint8_t kTrellisStates = 8;
constexpr uint32_t kLeastTrellisValues = 4;  // one of each subset

// By 2 x state + (number mod 2).
constexpr uint8_t kTrellisNext[2 * kTrellisStates] = {0, 1, 2, 3, 5, 4, 7, 6,
                                                      1, 0, 3, 2, 4, 5, 6, 7};

// Numbers of one output become places in the palette; `states` has one a column and moves on.
inline void follow_trellis(uint8_t* numbers, uint8_t* states, size_t columns) {
  for (size_t c = 0; c < columns; ++c) {
    const uint32_t number = numbers[c], state = states[c];
    numbers[c] = static_cast<uint8_t>(2 * number + state % 2);
    states[c] = kTrellisNext[2 * state + number % 2];
  }
}

}  // namespace pocketlens

#endif
