// A photo becomes the same floats in whatever pieces its rows come, ccv's resizes are those of
// plain loops in doubles, and no recipe, however odd, reads or writes beyond what is there.
#include <math.h>
#include <pocketlens/core.h>
#include <stdio.h>

#include <vector>

#include "kernels_cases.h"
#include "sanitizers.h"

namespace pocketlens::test {
namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  ++failures;
  printf("FAILED %s\n", what);
}

struct Picture {
  uint32_t width, height, pixel_bytes;
  std::vector<uint8_t> bytes;

  double at(uint32_t y, uint32_t x, uint32_t channel) const {
    return bytes[(size_t{y} * width + x) * pixel_bytes + channel];
  }
};

Picture draw(Random& random, uint32_t width, uint32_t height) {
  Picture picture = {width, height, 3u + (uint32_t)random.below(2), {}};
  picture.bytes.resize(size_t{width} * height * picture.pixel_bytes);
  for (uint8_t& byte : picture.bytes) byte = (uint8_t)random.bits();
  return picture;
}

// Rows `most` at a time, each piece a copy that ends where the rows do.
pl_status feed(pl_photo* photo, const Picture& picture, uint32_t most, float* inputs) {
  const size_t row = size_t{picture.width} * picture.pixel_bytes;
  pl_status status = {};
  for (uint32_t y = 0; y < picture.height && status.code == PL_OK; y += most) {
    const uint32_t count = std::min(most, picture.height - y);
    const std::vector<uint8_t> piece(picture.bytes.begin() + row * y,
                                     picture.bytes.begin() + row * (y + count));
    status = pl_photo_rows(photo, piece.data(), count);
  }
  if (status.code == PL_OK) return pl_photo_end(photo, inputs);
  pl_photo_end(photo, nullptr);
  return status;
}

size_t input_floats(const pl_recipe& recipe) {
  return size_t{recipe.height} * recipe.width * (recipe.channels == 2 ? 1 : 3);
}

struct Given {
  pl_recipe recipe;
  std::vector<uint8_t> mean;
};

Given draw_recipe(Random& random) {
  Given given = {};
  pl_recipe& recipe = given.recipe;
  recipe.resize = (uint32_t)random.below(4);
  recipe.filter = (uint32_t)random.below(6);
  recipe.channels = (uint32_t)random.below(3);
  recipe.height = 1 + (uint32_t)random.below(30);
  recipe.width = 1 + (uint32_t)random.below(30);
  recipe.resize_height = recipe.height + (uint32_t)random.below(9);
  recipe.resize_width = recipe.width + (uint32_t)random.below(9);
  if (recipe.resize == 2 || random.below(2) == 0) {
    recipe.resize_height = recipe.resize_width =
        std::max(recipe.resize_height, recipe.resize_width);
  }
  for (int c = 0; c < 3; ++c)
    recipe.mean[c] = 100 * random.unit(), recipe.scale[c] = 1.5f + (float)c;
  const size_t halves = 2 * input_floats(recipe);
  const size_t floats =
      4 * size_t{recipe.resize_height} * recipe.resize_width * (recipe.channels == 2 ? 1 : 3);
  if (random.below(2) == 0) {
    given.mean.resize(recipe.resize == 3 ? floats : halves);
    for (uint8_t& byte : given.mean) byte = (uint8_t)(random.bits() & 0x3f);  // small and finite
  }
  return given;
}

// In one piece and row by row.
void compare_pieces(Random& random, const Given& given, const Picture& picture, bool cut) {
  pl_recipe recipe = given.recipe;
  recipe.mean_picture = given.mean.empty() ? nullptr : given.mean.data();
  const uint32_t crops = (uint32_t[]){1, 5, 10}[random.below(3)], step = 1 + random.below(4);
  std::vector<float> made[2];
  for (int pass = 0; pass < 2; ++pass) {
    pl_photo* photo = nullptr;
    uint32_t wide = 0, high = 0;
    const pl_status status =
        cut ? pl_photo_begin_cut(&recipe, picture.width, picture.height, picture.pixel_bytes, step,
                                 1, &photo, &wide, &high)
            : pl_photo_begin(&recipe, picture.width, picture.height, picture.pixel_bytes, crops,
                             &photo);
    if (status.code != PL_OK) {
      const bool told = status.code == PL_FORM || status.code == PL_CUT ||
                        (status.code == PL_RECIPE && cut && recipe.resize != 3);
      expect(told && photo == nullptr, "a photo that is refused");
      return;
    }
    const size_t depth = recipe.channels == 2 ? 1 : 3;
    made[pass].resize(cut ? 2 * depth * high * wide : crops * input_floats(recipe), kNotANumber);
    const uint32_t most = pass == 0 ? picture.height : 1 + (uint32_t)random.below(7);
    expect(feed(photo, picture, most, made[pass].data()).code == PL_OK, "all rows are taken");
  }
  expect(memcmp(made[0].data(), made[1].data(), made[0].size() * sizeof(float)) == 0,
         "pieces make no difference");
  for (const float value : made[0]) {
    if (value - value == 0) continue;
    expect(false, "every float is written");
    return;
  }
}

// ccv's resizes of a line in doubles.
std::vector<double> averaged(const std::vector<double>& line, size_t count) {
  const double step = (double)line.size() / (double)count;
  std::vector<double> made(count);
  for (size_t i = 0; i < count; ++i) {
    for (size_t k = 0; k < line.size(); ++k) {
      const double low = std::max((double)i * step, (double)k);
      const double high = std::min((double)(i + 1) * step, (double)(k + 1));
      if (high > low) made[i] += line[k] * (high - low) / step;
    }
  }
  return made;
}

std::vector<double> interpolated(const std::vector<double>& line, size_t count) {
  constexpr double a = -0.75;
  const auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  std::vector<double> made(count);
  const int last = (int)line.size() - 1;
  for (size_t i = 0; i < count; ++i) {
    const double x = ((double)i + 0.5) * (double)line.size() / (double)count - 0.5;
    const double base = trunc(x), t = x - base;  // negative left of the first centre
    double weights[] = {far(t + 1), near(t), near(1 - t), 1};
    for (int tap = 0; tap < 3; ++tap) weights[3] -= weights[tap];
    for (int tap = 0; tap < 4; ++tap) {
      made[i] += weights[tap] * line[(size_t)std::clamp((int)base + tap - 1, 0, last)];
    }
  }
  return made;
}

void compare_forming(Random& random) {
  const uint32_t side = 2 + (uint32_t)random.below(20);
  const Picture picture = draw(random, 1 + random.below(70), 1 + random.below(70));
  pl_recipe recipe = {3, side, side, 0, 1, 1, 0, {}, {1, 1, 1}, nullptr};
  pl_photo* photo = nullptr;
  uint32_t wide = 0, high = 0;
  const pl_status status = pl_photo_begin_cut(&recipe, picture.width, picture.height,
                                              picture.pixel_bytes, 1, 0, &photo, &wide, &high);
  expect(status.code == PL_OK, "a square forms every photo");
  if (status.code != PL_OK) return;
  std::vector<float> made(3 * size_t{wide} * high);
  expect(feed(photo, picture, 5, made.data()).code == PL_OK, "a photo is formed");
  const bool average = picture.width > side && picture.height > side;
  const auto resize = average ? averaged : interpolated;
  for (uint32_t channel = 0; channel < 3; ++channel) {
    std::vector<std::vector<double>> rows, columns(wide);
    for (uint32_t y = 0; y < picture.height; ++y) {
      std::vector<double> row(picture.width);
      for (uint32_t x = 0; x < picture.width; ++x) row[x] = picture.at(y, x, channel);
      rows.push_back(resize(row, wide));
    }
    for (uint32_t x = 0; x < wide; ++x) {
      for (const std::vector<double>& row : rows) columns[x].push_back(row[x]);
      const std::vector<double> column = resize(columns[x], high);
      for (uint32_t y = 0; y < high; ++y) {
        const double seen = made[(size_t{channel} * high + y) * wide + x];
        if (fabs(seen - column[y]) > (average ? 1e-4 : 2e-3)) {
          expect(false, "a formed photo is that of plain loops");
          return;
        }
      }
    }
  }
}

// Fields at random, most of them nonsense: refused, or followed.
void try_nonsense(Random& random) {
  const auto number = [&]() -> uint32_t {
    const uint32_t all[] = {0, 1, 2, 3, 4, 7, 16, 40, 8192, 8193, 1u << 31, 0xffffffffu};
    return random.pick(all);
  };
  const uint32_t high = number(), wide = number();
  pl_recipe recipe = {(uint32_t)random.below(5),
                      number(),
                      number(),
                      (uint32_t)random.below(8),
                      high,
                      wide,
                      (uint32_t)random.below(4),
                      {},
                      {1, 1, 1},
                      nullptr};
  const Picture picture = draw(random, 1 + random.below(60), 1 + random.below(60));
  if (recipe.height * (uint64_t)recipe.width > 1 << 16) recipe.height = 3, recipe.width = 5;
  pl_photo* photo = nullptr;
  uint32_t cut_wide = 0, cut_high = 0;
  const bool cut = random.below(2) == 0;
  const pl_status status =
      cut ? pl_photo_begin_cut(&recipe, picture.width, picture.height, picture.pixel_bytes,
                               number(), 1, &photo, &cut_wide, &cut_high)
          : pl_photo_begin(&recipe, picture.width, picture.height, picture.pixel_bytes, 10, &photo);
  expect((status.code == PL_OK) == (photo != nullptr), "a photo is there or refused");
  if (photo == nullptr) return;
  std::vector<float> made(cut ? 6 * size_t{cut_wide} * cut_high : 10 * 3 * input_floats(recipe));
  expect(feed(photo, picture, 9, made.data()).code == PL_OK, "what is not refused is followed");
}

}  // namespace
}  // namespace pocketlens::test

int main() {
  using namespace pocketlens::test;
  Random random(11);
  for (int repeat = 0; repeat < 1500; ++repeat) {
    const Given given = draw_recipe(random);
    const Picture picture = draw(random, 1 + random.below(90), 1 + random.below(90));
    compare_pieces(random, given, picture, random.below(3) == 0);
  }
  for (int repeat = 0; repeat < 150; ++repeat) compare_forming(random);
  for (int repeat = 0; repeat < 1500; ++repeat) try_nonsense(random);
  printf("photo_test: %d failures\n", failures);
  return failures != 0;
}
