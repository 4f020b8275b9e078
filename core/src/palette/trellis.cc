// See trellis.h. A survivor's moves of outputs beyond the current kDownBlock are put off and done
// at once: until then it keeps the errors of the block, and a copy of what is left of it.
#include "palette/trellis.h"

#include <string.h>

#include <limits>
#include <memory>
#include <new>

#include "base/trellis.h"
#include "palette/columns.h"
#include "palette/subtract.h"

namespace pocketlens::palette {
namespace {

constexpr size_t kStates = kTrellisStates;
constexpr size_t kDownBlock = 32;  // outputs
constexpr double kNever = std::numeric_limits<double>::infinity();

// The two ways into every state.
struct Came {
  uint8_t state;
  uint8_t parity;
};
constexpr Came kCame[kStates][2] = {{{0, 0}, {4, 1}}, {{0, 1}, {4, 0}}, {{1, 0}, {5, 1}},
                                    {{1, 1}, {5, 0}}, {{2, 1}, {6, 0}}, {{2, 0}, {6, 1}},
                                    {{3, 1}, {7, 0}}, {{3, 0}, {7, 1}}};

struct Choice {
  double cost;
  size_t value;
};

// How the survivors got to an output: by state, the value taken, the state before, and what the
// weight had become.
struct Step {
  uint8_t value[kStates];
  uint8_t from[kStates];
  float x[kStates];
};

struct Survivors {
  double cost[kStates];

  void start() {
    for (size_t s = 0; s < kStates; ++s) cost[s] = s == 0 ? 0.0 : kNever;
  }
  bool alive(size_t state) const { return cost[state] < kNever; }
  size_t best() const {
    size_t found = 0;
    for (size_t s = 1; s < kStates; ++s) found = cost[s] < cost[found] ? s : found;
    return found;
  }
};

// Finds the place of the last value that is at most x, -1 if there is none, from that of the cell
// that x is in: of many of equal width.
class Places {
 public:
  explicit Places(const Codebook& codebook) : codebook_(codebook) {
    const float low = codebook.values[0], high = codebook.values[codebook.size - 1];
    scale_ = high > low ? static_cast<float>(kCells) / (high - low) : 0.0f;
    ptrdiff_t place = 0;
    for (size_t cell = 0; cell < kCells; ++cell) {
      first_[cell] = static_cast<int16_t>(place);
      while (place + 1 < size() && cell_of(codebook.values[place + 1]) <= cell) ++place;
    }
  }

  ptrdiff_t find(float x) const {
    ptrdiff_t place = first_[cell_of(x)];
    while (place + 1 < size() && codebook_.values[place + 1] <= x) ++place;
    return codebook_.values[place] <= x ? place : place - 1;
  }

 private:
  static constexpr size_t kCells = 1024;

  ptrdiff_t size() const { return static_cast<ptrdiff_t>(codebook_.size); }
  // Never falls where x rises: what is in a lower cell is less.
  size_t cell_of(float x) const {
    const float cell = (x - codebook_.values[0]) * scale_;
    if (!(cell > 0.0f)) return 0;
    return cell < static_cast<float>(kCells - 1) ? static_cast<size_t>(cell) : kCells - 1;
  }

  const Codebook& codebook_;
  float scale_;
  int16_t first_[kCells];  // the last value in a lower cell; the first one if there is none
};

// The value of a subset with the least (x - value)^2 x curvature + rate x bits, from the two around
// `place` outwards until the error alone costs more.
Choice choose_in_subset(float x, double curvature, double rate, const Codebook& codebook,
                        ptrdiff_t place, ptrdiff_t subset) {
  Choice best = {kNever, 0};
  const auto beyond = [&](ptrdiff_t value) {
    const double e = static_cast<double>(x) - codebook.values[value];
    const double distortion = curvature * e * e;
    if (distortion >= best.cost) return true;
    const double cost = distortion + rate * codebook.bits[value];
    if (cost < best.cost) best = {cost, static_cast<size_t>(value)};
    return false;
  };
  const ptrdiff_t below = place < subset ? subset - 4 : place - ((place - subset) & 3);
  for (ptrdiff_t value = below; value >= 0; value -= 4) {
    if (beyond(value)) break;
  }
  for (ptrdiff_t value = below + 4; value < static_cast<ptrdiff_t>(codebook.size); value += 4) {
    if (beyond(value)) break;
  }
  return best;
}

// The survivors after an output, from the choices of all (state, parity).
Survivors take_step(const Survivors& before, const Choice (&choices)[kStates][2],
                    const float (&x)[kStates], Step* step) {
  Survivors after;
  for (size_t to = 0; to < kStates; ++to) {
    after.cost[to] = kNever;
    size_t from = kCame[to][0].state;
    step->value[to] = 0;
    for (const Came& came : kCame[to]) {
      if (!before.alive(came.state)) continue;
      const Choice& choice = choices[came.state][came.parity];
      const double cost = before.cost[came.state] + choice.cost;
      if (!(cost < after.cost[to])) continue;
      after.cost[to] = cost;
      from = came.state;
      step->value[to] = static_cast<uint8_t>(choice.value);
    }
    step->from[to] = static_cast<uint8_t>(from);
    step->x[to] = x[from];
  }
  return after;
}

// Survivors of a column whose outputs make good each other's errors.
class Ahead {
 public:
  [[nodiscard]] bool reset(size_t outputs) {
    outputs_ = outputs;
    for (auto& side : left_) {
      side.reset(new (std::nothrow) float[kStates * outputs]);
      if (!side) return false;
    }
    return true;
  }

  // All survivors are at a column as it is.
  void start(const float* column) {
    for (size_t s = 0; s < kStates; ++s) memcpy(row(s), column, outputs_ * sizeof(float));
  }

  void open(size_t first) {
    first_ = first;
    count_ = outputs_ - first < kDownBlock ? outputs_ - first : kDownBlock;
    for (size_t s = 0; s < kStates; ++s) {
      root_[s] = static_cast<uint8_t>(s);
      memcpy(block_[now_][s], row(s) + first, count_ * sizeof(float));
    }
  }

  size_t count() const { return count_; }
  float at(size_t state, size_t in_block) const { return block_[now_][state][in_block]; }

  // Every survivor takes over from where it came, and moves the rest of the block by its error.
  void move(size_t in_block, const Step& step, const float (&errors)[kStates], const float* down) {
    const size_t next = 1 - now_;
    uint8_t roots[kStates];
    for (size_t to = 0; to < kStates; ++to) {
      const size_t from = step.from[to];
      roots[to] = root_[from];
      memcpy(errors_[next][to], errors_[now_][from], in_block * sizeof(float));
      errors_[next][to][in_block] = errors[to];
      const float* old = block_[now_][from];
      float* moved = block_[next][to];
      for (size_t k = in_block + 1; k < count_; ++k) {
        moved[k] = old[k] - errors[to] * down[first_ + k];
      }
    }
    memcpy(root_, roots, sizeof roots);
    now_ = next;
  }

  // Moves the outputs after the block by all errors in it.
  void close(const Survivors& survivors, const float* down, Subtract subtract) {
    const size_t end = first_ + count_;
    if (end == outputs_) return;
    const size_t width = outputs_ - end;
    for (size_t s = 0; s < kStates; ++s) {
      float* to = left_[1 - side_].get() + s * outputs_ + end;
      if (!survivors.alive(s)) continue;
      memcpy(to, row(root_[s]) + end, width * sizeof(float));
      subtract({down + first_ * outputs_ + end, outputs_, errors_[now_][s], 1, count_}, width, to);
    }
    side_ = 1 - side_;
  }

 private:
  float* row(size_t state) { return left_[side_].get() + state * outputs_; }

  size_t outputs_ = 0, first_ = 0, count_ = 0;
  size_t side_ = 0, now_ = 0;
  uint8_t root_[kStates] = {};                 // the survivor at the block's start
  std::unique_ptr<float[]> left_[2];           // states x outputs
  float block_[2][kStates][kDownBlock] = {};   // what is left of the block
  float errors_[2][kStates][kDownBlock] = {};  // those in it so far
};

class Coder {
 public:
  Coder(const Grid& grid, const double* worth, const Codebook& codebook, double lagrangian)
      : grid_(grid), worth_(worth), codebook_(codebook), places_(codebook), rate_(lagrangian) {}

  [[nodiscard]] bool reset() {
    steps_.reset(new (std::nothrow) Step[grid_.outputs]);
    return steps_ != nullptr && (grid_.down == nullptr || ahead_.reset(grid_.outputs));
  }

  // Codes column j, which has become `column`; `errors` gets what later columns are to make good.
  void code_column(size_t j, const float* column, float* errors, uint8_t* indices, float* targets,
                   Tally* tally) {
    diagonal_ = grid_.across[j * grid_.columns + j];
    size_t state = grid_.down == nullptr ? walk_alone(column) : walk_together(column);
    for (size_t o = grid_.outputs; o-- > 0;) {
      const Step& step = steps_[o];
      const uint8_t value = step.value[state];
      const double e = static_cast<double>(step.x[state]) - codebook_.values[value];
      tally->distortion += curvature(o) * e * e;
      tally->bits += codebook_.bits[value];
      indices[o] = value;
      targets[o] = step.x[state];
      const double whole = static_cast<double>(column[o]) - codebook_.values[value];
      errors[o] = static_cast<float>(whole / diagonal_);
      state = step.from[state];
    }
  }

 private:
  double curvature(size_t output) const {
    if (grid_.down == nullptr) return worth_[output] / (diagonal_ * diagonal_);
    const double pivot = diagonal_ * grid_.down[output * grid_.outputs + output];
    return 1.0 / (pivot * pivot);
  }

  // What is found does not depend on the path: one search serves all states.
  size_t walk_alone(const float* column) {
    Survivors survivors;
    survivors.start();
    for (size_t o = 0; o < grid_.outputs; ++o) {
      const float x = column[o];
      const ptrdiff_t place = places_.find(x);
      Choice choices[kStates][2];
      for (size_t subset = 0; subset < 4; ++subset) {
        const Choice choice = choose_in_subset(x, curvature(o), rate_, codebook_, place,
                                               static_cast<ptrdiff_t>(subset));
        for (size_t s = subset % 2; s < kStates; s += 2) choices[s][subset / 2] = choice;
      }
      const float same[kStates] = {x, x, x, x, x, x, x, x};
      survivors = take_step(survivors, choices, same, &steps_[o]);
    }
    return survivors.best();
  }

  size_t walk_together(const float* column) {
    const Subtract subtract = subtract_;
    Survivors survivors;
    survivors.start();
    ahead_.start(column);
    for (size_t first = 0; first < grid_.outputs; first += kDownBlock) {
      ahead_.open(first);
      for (size_t k = 0; k < ahead_.count(); ++k) survivors = step_together(survivors, first, k);
      ahead_.close(survivors, grid_.down, subtract);
    }
    return survivors.best();
  }

  Survivors step_together(Survivors survivors, size_t first, size_t in_block) {
    const size_t output = first + in_block;
    const float* down = grid_.down + output * grid_.outputs;
    const double cost = curvature(output);
    Choice choices[kStates][2];
    float x[kStates] = {};
    for (size_t s = 0; s < kStates; ++s) {
      if (!survivors.alive(s)) continue;
      x[s] = ahead_.at(s, in_block);
      const ptrdiff_t place = places_.find(x[s]);
      const ptrdiff_t even = static_cast<ptrdiff_t>(s % 2);
      choices[s][0] = choose_in_subset(x[s], cost, rate_, codebook_, place, even);
      choices[s][1] = choose_in_subset(x[s], cost, rate_, codebook_, place, even + 2);
    }
    Step& step = steps_[output];
    survivors = take_step(survivors, choices, x, &step);
    float errors[kStates] = {};
    for (size_t s = 0; s < kStates; ++s) {
      const double e = static_cast<double>(step.x[s]) - codebook_.values[step.value[s]];
      errors[s] = survivors.alive(s) ? static_cast<float>(e / down[output]) : 0.0f;
    }
    ahead_.move(in_block, step, errors, down);
    return survivors;
  }

  const Grid& grid_;
  const double* worth_;
  const Codebook& codebook_;
  const Places places_;
  const double rate_;
  const Subtract subtract_ = choose_subtract();
  double diagonal_ = 1.0;
  std::unique_ptr<Step[]> steps_;
  Ahead ahead_;
};

}  // namespace

bool code_trellis(const Grid& grid, const double* worth, const Codebook& codebook,
                  double lagrangian, uint8_t* indices, float* targets, Tally* tally) {
  const size_t outputs = grid.outputs;
  Coder coder(grid, worth, codebook, lagrangian);
  if (!coder.reset()) return false;
  *tally = {0.0, 0.0};
  return code_columns(grid, [&](size_t j, float* column, float* errors) {
    coder.code_column(j, column, errors, indices + j * outputs, targets + j * outputs, tally);
  });
}

}  // namespace pocketlens::palette
