// Changed plans and changed bands, millions of them: each is refused or runs; none crashes, hangs
// or reads beyond its bytes. Worth most when built with POCKETLENS_SANITIZE.
//
//   plan_fuzz [--cases N] [--first I] [--seed S] [--work W] [FOLDER]
//
// Case I of seed S is the same whatever was run before it, so a failure is found again with
// --first I --cases 1. FOLDER holds further plans, NAME.plan, with their bands, NAME.bands, as
// core/tests/dump_plans.py writes them.
//
// A changed plan may well be valid and ask for terabytes. What keeps a case short: no allocation
// above 64 MiB succeeds (under AddressSanitizer), and a lens is fed and run only if its plan takes
// at most W multiplications, 2^18 if not given. A case of more than a minute counts as a hang and
// aborts.
#include <pocketlens/core.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "plan_repair.h"
#include "random_plans.h"
#include "sanitizers.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace pocketlens::test {
namespace {

constexpr unsigned kHangSeconds = 60;
constexpr uint32_t kRandomPlans = 400;

// What a failure leaves behind. Written by the signal handler, so no std::string.
char under_way[64];

void say_case() { fprintf(stderr, "plan_fuzz: in %s\n", under_way); }

void on_alarm(int) {
  say_case();
  fprintf(stderr, "plan_fuzz: a case took more than %u s\n", kHangSeconds);
  abort();
}

[[noreturn]] void stop(const char* what) {
  say_case();
  fprintf(stderr, "plan_fuzz: %s\n", what);
  abort();
}

struct Counts {
  long cases = 0, repaired = 0, opened = 0, fed = 0, ran = 0, not_ready = 0, too_much = 0,
       beside = 0;
  long plan_codes[32] = {}, band_codes[32] = {};
};

class Fuzzer {
 public:
  Fuzzer(std::vector<SmallPlan> corpus, uint64_t most_work)
      : corpus_(std::move(corpus)), most_work_(static_cast<double>(most_work)) {}

  void run_case(uint32_t seed, uint64_t number) {
    std::seed_seq both{seed, static_cast<uint32_t>(number), static_cast<uint32_t>(number >> 32)};
    dice_.seed(both);
    ++counts.cases;
    const SmallPlan& plan = corpus_[below(static_cast<uint32_t>(corpus_.size()))];
    Bytes bytes = plan.bytes;
    for (uint32_t n = below(8) == 0 ? 0 : 1 + below(4); n > 0; --n) change(&bytes);
    if (below(2) == 0) {
      Repair(&bytes).all();
      ++counts.repaired;
    }
    open(bytes, plan.bands);
  }

  Counts counts;

 private:
  uint32_t below(uint32_t count) { return static_cast<uint32_t>(dice_() % count); }

  uint32_t changed(uint32_t word) {
    constexpr uint32_t kNasty[] = {0,          1,          2,          16,         17,
                                   64,         255,        65536,      1u << 24,   0x7FFFFFFF,
                                   0x80000000, 0x80000001, 0xFFFFFFFF, 0x7F800000, 0x7FC00000,
                                   0xFFFFFFFE, 0x40000000};
    switch (below(6)) {
      case 0:
        return kNasty[below(sizeof kNasty / sizeof *kNasty)];
      case 1:
        return word + 1;
      case 2:
        return word - 1;
      case 3:
        return word ^ (1u << below(32));
      case 4:
        return below(8) == 0 ? static_cast<uint32_t>(dice_()) : word * 2;
      default:
        return below(40);
    }
  }

  // One change: mostly a word of the header, a table or an op.
  void change(Bytes* bytes) {
    const Sections at(*bytes);
    constexpr int kSections[] = {-1, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 4, 4, 4, 4, 5};
    const int section = kSections[below(16)];
    const size_t from = section < 0 ? 8 : at.starts[section];
    const size_t to = section < 0    ? kHeaderAt
                      : section == 5 ? bytes->size()
                                     : at.starts[section + 1];
    if (to < from + 4 || to > bytes->size()) return;
    const auto place = [&] { return from + below(static_cast<uint32_t>((to - from) / 4)) * 4; };
    const size_t word = place();
    switch (below(12)) {
      case 0:  // a word of the same section
        return set_word(bytes, word, word_of(*bytes, place()));
      case 1: {  // a run of words of the same section
        const size_t other = place();
        for (size_t i = 0; i < 18 && std::max(word, other) + 4 * i + 4 <= to; ++i) {
          set_word(bytes, word + 4 * i, word_of(*bytes, other + 4 * i));
        }
        return;
      }
      case 2:  // longer or shorter, and saying so
        if (below(8) != 0) break;
        bytes->resize(bytes->size() + below(64) - std::min<size_t>(below(96), bytes->size()));
        if (bytes->size() >= 24) set_word(bytes, 16, bytes->size());
        return;
      default:
        break;
    }
    set_word(bytes, word, changed(word_of(*bytes, word)));
  }

  // The exact bytes on the heap, gone after opening, so that reading beyond or later is seen.
  void open(const Bytes& bytes, const std::vector<BandBytes>& bands) {
    std::unique_ptr<uint8_t[]> copy(new uint8_t[bytes.size()]);
    memcpy(copy.get(), bytes.data(), bytes.size());
    const bool bf16 = below(3) == 0 && pl_target_count(PL_BF16) > 0;
    const pl_precision precision = bf16 ? PL_BF16 : PL_FP32;
    const uint32_t targets = static_cast<uint32_t>(pl_target_count(precision));
    const char* target = pl_target_name(precision, below(targets));
    pl_lens* lens = nullptr;
    const uint32_t threads = below(64) == 0 ? 3 : 1;
    const pl_status status = pl_open(copy.get(), bytes.size(), target, precision, threads, &lens);
    if ((status.code == PL_OK) != (lens != nullptr)) stop("success without a lens, or a lens");
    ++counts.plan_codes[status.code & 31];
    if (lens == nullptr) return;
    ++counts.opened;
    {
      Plan plan;
      if (!read_plan(copy.get(), bytes.size(), &plan).ok()) stop("opened, but not judged valid");
      copy.reset();
      if (work_of(plan) <= most_work_) {
        feed(lens, below(2) == 0 ? fitting_bands(plan, &dice_) : bands);
        run(lens);
        if (below(4) == 0) open_beside(&lens, bytes);
      } else {
        ++counts.too_much;
      }
    }
    pl_close(lens);
  }

  // The plan, changed once more, on the weights of a lens that may be closed before it runs.
  void open_beside(pl_lens** lens, Bytes bytes) {
    for (uint32_t n = below(3); n > 0; --n) change(&bytes);
    if (below(2) == 0) Repair(&bytes).all();
    std::unique_ptr<uint8_t[]> copy(new uint8_t[bytes.size()]);
    memcpy(copy.get(), bytes.data(), bytes.size());
    pl_lens* beside = nullptr;
    const pl_status status = pl_open_beside(*lens, copy.get(), bytes.size(), 1, &beside);
    if ((status.code == PL_OK) != (beside != nullptr)) stop("success without a lens, or a lens");
    if (beside == nullptr) return;
    ++counts.beside;
    Plan plan;
    if (!read_plan(copy.get(), bytes.size(), &plan).ok()) stop("opened, but not judged valid");
    const bool little = work_of(plan) <= most_work_;
    copy.reset();
    if (below(2) == 0) {
      pl_close(*lens);
      *lens = nullptr;
    }
    if (little) run(beside);
    pl_close(beside);
  }

  int feed_one(pl_lens* lens, const BandBytes& band, bool change) {
    size_t size = band.rows.size();
    if (change && size > 0 && below(4) == 0) size -= 1 + below(static_cast<uint32_t>(size));
    const std::unique_ptr<uint8_t[]> rows(new uint8_t[size]);
    memcpy(rows.get(), band.rows.data(), size);
    for (uint32_t n = change && size > 0 ? below(4) : 0; n > 0; --n) {
      rows[below(static_cast<uint32_t>(size))] ^= static_cast<uint8_t>(1u << below(8));
    }
    const uint32_t off = change && below(8) == 0 ? changed(0) : 0;
    const bool plane = below(2) == 0;
    const int code = pl_feed(lens, band.plane + (plane ? off : 0), band.band + (plane ? 0 : off),
                             rows.get(), size)
                         .code;
    ++counts.band_codes[code & 31];
    ++counts.fed;
    return code;
  }

  // One in four: some changed bands first, and any order.
  void feed(pl_lens* lens, std::vector<BandBytes> bands) {
    if (bands.empty()) return;
    if (below(4) == 0) {
      for (uint32_t n = 1 + below(4); n > 0; --n) {
        feed_one(lens, bands[below(static_cast<uint32_t>(bands.size()))], true);
      }
      std::shuffle(bands.begin(), bands.end(), dice_);
    }
    bool masks_first = false;
    for (const BandBytes& band : bands) {
      masks_first = feed_one(lens, band, false) == PL_MASK_FIRST || masks_first;
    }
    for (const BandBytes& band : bands) {
      if (masks_first) feed_one(lens, band, false);
    }
  }

  void run(pl_lens* lens) {
    const uint32_t batch = below(4) == 0 ? 3 : 1;
    std::vector<std::unique_ptr<float[]>> arrays;
    std::vector<const float*> inputs;
    std::vector<float*> outputs;
    const bool wild = below(4) == 0;
    for (size_t i = 0, n; (n = pl_input_floats(lens, i)) != 0; ++i) {
      arrays.emplace_back(new float[n * batch]);
      inputs.push_back(arrays.back().get());
      for (size_t k = 0; k < n * batch; ++k) {
        arrays.back()[k] = wild ? float_of_bits(static_cast<uint32_t>(dice_()))
                                : static_cast<float>(k % 17) * 0.125f - 1;
      }
    }
    for (size_t i = 0, n; (n = pl_output_floats(lens, i)) != 0; ++i) {
      arrays.emplace_back(new float[n * batch]);
      outputs.push_back(arrays.back().get());
    }
    const bool ready = pl_is_ready(lens) != 0;
    const int code = pl_run(lens, batch, inputs.data(), outputs.data()).code;
    if (code != (ready ? PL_OK : PL_NOT_READY)) stop("a run that was refused");
    ++(ready ? counts.ran : counts.not_ready);
  }

  std::vector<SmallPlan> corpus_;
  double most_work_;
  std::mt19937 dice_;
};

Bytes bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    fprintf(stderr, "plan_fuzz: cannot read %s\n", path.c_str());
    exit(2);
  }
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

// Records of u32 plane, u32 band, u32 bytes and the rows.
std::vector<BandBytes> bands_of(const Bytes& bytes) {
  std::vector<BandBytes> bands;
  for (size_t at = 0; at + 12 <= bytes.size();) {
    const auto start = bytes.begin() + static_cast<long>(at) + 12;
    const uint32_t size = word_of(bytes, at + 8);
    bands.push_back({word_of(bytes, at), word_of(bytes, at + 4), Bytes(start, start + size)});
    at += 12 + size;
  }
  return bands;
}

std::vector<SmallPlan> corpus_of(const char* folder) {
  std::vector<SmallPlan> corpus = {network_plan(), network_plan(shared_planes), moving_plan()};
  for (uint32_t i = 0; i < kRandomPlans; ++i) corpus.push_back(RandomPlan(i).draw());
  if (folder == nullptr) return corpus;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".plan") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (std::filesystem::path path : paths) {
    const Bytes plan = bytes_of(path);
    corpus.push_back({plan, bands_of(bytes_of(path.replace_extension(".bands")))});
  }
  return corpus;
}

// Plans that nobody changed open, or the cases would say little.
void check_corpus(const std::vector<SmallPlan>& corpus) {
  long by_kind[kOpKinds] = {};
  for (const SmallPlan& small : corpus) {
    Plan plan;
    snprintf(under_way, sizeof under_way, "plan %ld of the corpus",
             static_cast<long>(&small - corpus.data()));
    const Status status = read_plan(small.bytes.data(), small.bytes.size(), &plan);
    if (!status.ok()) {
      fprintf(stderr, "code %d op %d tensor %d\n", static_cast<int>(status.code), status.op,
              status.tensor);
      stop("refused");
    }
    for (const Op& op : plan.ops) ++by_kind[op.kind];
  }
  for (uint32_t kind = 1; kind < kOpKinds; ++kind) {
    if (by_kind[kind] == 0) stop("the corpus lacks an operator");
  }
}

void report(const Counts& c, size_t corpus) {
  printf(
      "plan_fuzz: %ld changed plans of %zu (%ld repaired): %ld opened, %ld ran, %ld lacked a "
      "band, %ld were too much work; %ld beside another; %ld bands\n",
      c.cases, corpus, c.repaired, c.opened, c.ran, c.not_ready, c.too_much, c.beside, c.fed);
  printf("plans by code:");
  for (int i = 0; i < 32; ++i) c.plan_codes[i] != 0 && printf(" %d:%ld", i, c.plan_codes[i]);
  printf("\nbands by code:");
  for (int i = 0; i < 32; ++i) c.band_codes[i] != 0 && printf(" %d:%ld", i, c.band_codes[i]);
  printf("\n");
}

}  // namespace
}  // namespace pocketlens::test

int main(int count, char** arguments) {
  using namespace pocketlens::test;
  uint64_t cases = 20000, first = 0, seed = 1, work = 1 << 18;
  const char* folder = nullptr;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    uint64_t* number = name == "--cases"   ? &cases
                       : name == "--first" ? &first
                       : name == "--seed"  ? &seed
                       : name == "--work"  ? &work
                                           : nullptr;
    if (number == nullptr) {
      folder = arguments[i];
    } else if (++i < count) {
      *number = strtoull(arguments[i], nullptr, 10);
    }
  }
  signal(SIGALRM, on_alarm);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(say_case);
#endif
  const std::vector<SmallPlan> corpus = corpus_of(folder);
  check_corpus(corpus);
  Fuzzer fuzzer(corpus, work);
  for (uint64_t i = first; i < first + cases; ++i) {
    snprintf(under_way, sizeof under_way, "case %llu of seed %llu", (unsigned long long)i,
             (unsigned long long)seed);
    alarm(kHangSeconds);
    fuzzer.run_case(static_cast<uint32_t>(seed), i);
  }
  alarm(0);
  report(fuzzer.counts, corpus.size());
  return 0;
}
