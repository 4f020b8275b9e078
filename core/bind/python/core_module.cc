// The core for Python: a thin layer over core.h. Buffers in, bytes out; knows no NumPy. A status
// that is not success becomes an exception CoreError(code, op, tensor, seen, expected), which
// engine/core.py turns into a sentence.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <pocketlens/core.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nb = nanobind;

namespace {

// Lives as long as the module, which Python never unloads.
PyObject* core_error = nullptr;

void check(const pl_status& status) {
  if (status.code == PL_OK) return;
  const nb::tuple arguments =
      nb::make_tuple(status.code, status.op, status.tensor, status.seen, status.expected);
  PyErr_SetObject(core_error, arguments.ptr());
  throw nb::python_error();
}

// A C-contiguous view of any object with a buffer; released at the end of the scope.
class View {
 public:
  explicit View(nb::handle object, int flags = PyBUF_SIMPLE) {
    if (PyObject_GetBuffer(object.ptr(), &buffer_, flags) != 0) throw nb::python_error();
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() { PyBuffer_Release(&buffer_); }

  uint8_t* data() const { return static_cast<uint8_t*>(buffer_.buf); }
  size_t size() const { return static_cast<size_t>(buffer_.len); }

 private:
  Py_buffer buffer_;
};

nb::bytearray new_bytearray(size_t bytes) {
  PyObject* made = PyByteArray_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(bytes));
  if (made == nullptr) throw nb::python_error();
  return nb::steal<nb::bytearray>(made);
}

// Threads of Python may share one: the global lock is let go while the core works, so a lock of its
// own makes them wait for each other.
class Core {
 public:
  // `beside`: a core whose weights it shares, and whose target and precision it has.
  Core(nb::handle plan, std::optional<std::string> target, uint32_t threads, bool bf16,
       const Core* beside) {
    const View bytes(plan);
    const char* name = target ? target->c_str() : nullptr;
    pl_status status;
    {
      nb::gil_scoped_release unlocked;
      const pl_precision precision = bf16 ? PL_BF16 : PL_FP32;
      status = beside ? beside->open(bytes, threads, &lens_)
                      : pl_open(bytes.data(), bytes.size(), name, precision, threads, &lens_);
    }
    check(status);
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core() { pl_close(lens_); }

  // Filters are undone in place: `rows` must be writable and is used up.
  void feed(uint32_t plane, uint32_t band, nb::handle rows) {
    const View bytes(rows, PyBUF_WRITABLE);
    pl_status status;
    {
      nb::gil_scoped_release unlocked;
      const std::lock_guard alone(mutex_);
      status = pl_feed(lens_, plane, band, bytes.data(), bytes.size());
    }
    check(status);
  }

  bool ready() const { return pl_is_ready(lens_) != 0; }
  std::string target() const { return pl_target_of(lens_); }
  bool bf16() const { return pl_precision_of(lens_) == PL_BF16; }

  std::vector<size_t> input_floats() const { return floats(pl_input_floats); }
  std::vector<size_t> output_floats() const { return floats(pl_output_floats); }

  nb::list run(nb::sequence inputs, uint32_t batch) {
    const std::vector<size_t> wanted = input_floats();
    if (nb::len(inputs) != wanted.size()) {
      check({PL_BAD_ARGUMENT, -1, -1, nb::len(inputs), wanted.size()});
    }
    std::vector<std::unique_ptr<View>> views;
    std::vector<const float*> pointers;
    for (size_t i = 0; i < wanted.size(); ++i) {
      views.push_back(std::make_unique<View>(inputs[i]));
      const size_t bytes = bytes_of(wanted[i], batch);
      if (views[i]->size() != bytes) {
        check({PL_BAD_ARGUMENT, -1, -1, views[i]->size(), bytes});
      }
      if (reinterpret_cast<uintptr_t>(views[i]->data()) % alignof(float) != 0) {
        throw nb::value_error("an input does not start at a multiple of 4 bytes");
      }
      pointers.push_back(reinterpret_cast<const float*>(views[i]->data()));
    }
    nb::list results;
    std::vector<float*> outputs;
    for (const size_t floats : output_floats()) {
      nb::bytearray result = new_bytearray(bytes_of(floats, batch));
      outputs.push_back(static_cast<float*>(result.data()));
      results.append(result);
    }
    pl_status status;
    {
      nb::gil_scoped_release unlocked;
      const std::lock_guard alone(mutex_);
      status = pl_run(lens_, batch, pointers.data(), outputs.data());
    }
    check(status);
    return results;
  }

  nb::dict memory() const {
    const pl_memory memory = pl_memory_of(lens_);
    nb::dict result;
    result["weights"] = memory.weights;
    result["packed"] = memory.packed;
    result["arena"] = memory.arena;
    result["scratch"] = memory.scratch;
    result["shared"] = pl_shared_of(lens_);
    return result;
  }

 private:
  pl_status open(const View& plan, uint32_t threads, pl_lens** lens) const {
    const std::lock_guard alone(mutex_);
    return pl_open_beside(lens_, plan.data(), plan.size(), threads, lens);
  }

  // Of `batch` images. Python's sizes are signed, and so no product may pass half of what fits.
  static size_t bytes_of(size_t floats, uint32_t batch) {
    const size_t most = SIZE_MAX / 2 / sizeof(float);
    if (batch != 0 && floats > most / batch) check({PL_TOO_LARGE, -1, -1, batch, most / floats});
    return floats * batch * sizeof(float);
  }

  std::vector<size_t> floats(size_t (*count)(const pl_lens*, size_t)) const {
    std::vector<size_t> result;
    for (size_t i = 0; count(lens_, i) != 0; ++i) result.push_back(count(lens_, i));
    return result;
  }

  pl_lens* lens_ = nullptr;
  mutable std::mutex
      mutex_;  // taken only without the global lock, and let go before that is taken again
};

std::vector<std::string> targets(bool bf16) {
  const pl_precision precision = bf16 ? PL_BF16 : PL_FP32;
  std::vector<std::string> names;
  for (size_t i = 0; i < pl_target_count(precision); ++i) {
    names.emplace_back(pl_target_name(precision, i));
  }
  return names;
}

// pl_recipe out of Python's values: its first seven fields, means, scales, a mean picture or None.
struct Recipe {
  Recipe(std::array<uint32_t, 7> fields, const std::vector<float>& mean,
         const std::vector<float>& scale, nb::handle mean_picture) {
    const auto [resize, high, wide, filter, rows, columns, channels] = fields;
    depth = channels == 2 ? 1 : 3;
    floats = depth * rows * columns;
    if (mean.size() != depth || scale.size() != depth) {
      throw nb::value_error("mean and scale must have one entry a channel");
    }
    if (!mean_picture.is_none()) picture.emplace(mean_picture);
    const size_t whole = depth * high * wide * sizeof(float);
    if (picture && picture->size() != (resize == 3 ? whole : 2 * floats)) {
      throw nb::value_error("mean_picture must have the size that core.h says");
    }
    value = {resize,  high,     wide, filter, rows,
             columns, channels, {},   {},     picture ? picture->data() : nullptr};
    std::copy(mean.begin(), mean.end(), value.mean);
    std::copy(scale.begin(), scale.end(), value.scale);
  }

  pl_recipe value;
  size_t depth, floats;  // channels; of one view
  std::optional<View> picture;
};

struct Discard {
  void operator()(pl_photo* photo) const { pl_photo_end(photo, nullptr); }
};
using Photo = std::unique_ptr<pl_photo, Discard>;

// Rows of a photo that has begun, as many in each strip as is convenient, to its inputs.
void follow(Photo photo, nb::iterable strips, size_t row_bytes, nb::bytearray inputs) {
  for (const nb::handle strip : strips) {
    const View bytes(strip);
    if (bytes.size() % row_bytes != 0) throw nb::value_error("a strip must hold whole rows");
    pl_status status;
    {
      nb::gil_scoped_release unlocked;
      status =
          pl_photo_rows(photo.get(), bytes.data(), static_cast<uint32_t>(bytes.size() / row_bytes));
    }
    check(status);
  }
  pl_status status;
  {
    nb::gil_scoped_release unlocked;
    status = pl_photo_end(photo.release(), static_cast<float*>(inputs.data()));
  }
  check(status);
}

// A photo's pixels to the input for `crops` views, as float32 bytes; see core.h.
nb::bytearray prepare(nb::iterable strips, uint32_t pixel_bytes, uint32_t width, uint32_t height,
                      std::array<uint32_t, 7> fields, std::vector<float> mean,
                      std::vector<float> scale, nb::handle mean_picture, uint32_t crops) {
  const Recipe recipe(fields, mean, scale, mean_picture);
  pl_photo* begun = nullptr;
  check(pl_photo_begin(&recipe.value, width, height, pixel_bytes, crops, &begun));
  Photo photo(begun);
  nb::bytearray result = new_bytearray(recipe.floats * crops * sizeof(float));
  follow(std::move(photo), strips, size_t{width} * pixel_bytes, result);
  return result;
}

// What a network of ccv's slides over, and perhaps its mirror image: float32 bytes, height, width.
nb::tuple prepare_cut(nb::iterable strips, uint32_t pixel_bytes, uint32_t width, uint32_t height,
                      std::array<uint32_t, 7> fields, std::vector<float> mean,
                      std::vector<float> scale, nb::handle mean_picture, uint32_t step,
                      bool mirrored) {
  const Recipe recipe(fields, mean, scale, mean_picture);
  pl_photo* begun = nullptr;
  uint32_t wide = 0, high = 0;
  check(pl_photo_begin_cut(&recipe.value, width, height, pixel_bytes, step, mirrored, &begun, &wide,
                           &high));
  Photo photo(begun);
  const size_t floats = recipe.depth * high * wide * (mirrored ? 2 : 1);
  nb::bytearray result = new_bytearray(floats * sizeof(float));
  follow(std::move(photo), strips, size_t{width} * pixel_bytes, result);
  return nb::make_tuple(result, high, wide);
}

}  // namespace

NB_MODULE(_core, m) {
  m.doc() = "The Pocketlens core: plan bytes in, scores out.";
  core_error = PyErr_NewException("pocketlens.engine._core.CoreError", PyExc_RuntimeError, nullptr);
  if (core_error == nullptr) throw nb::python_error();
  m.attr("CoreError") = nb::borrow(core_error);
  nb::class_<Core>(m, "Core")
      .def(nb::init<nb::handle, std::optional<std::string>, uint32_t, bool, const Core*>(),
           nb::arg("plan"), nb::arg("target").none(), nb::arg("threads"), nb::arg("bf16") = false,
           nb::arg("beside").none() = nb::none())
      .def("feed", &Core::feed, nb::arg("plane"), nb::arg("band"), nb::arg("rows"))
      .def("run", &Core::run, nb::arg("inputs"), nb::arg("batch"))
      .def("memory", &Core::memory)
      .def_prop_ro("ready", &Core::ready)
      .def_prop_ro("target", &Core::target)
      .def_prop_ro("bf16", &Core::bf16)
      .def_prop_ro("input_floats", &Core::input_floats)
      .def_prop_ro("output_floats", &Core::output_floats);
  m.def("targets", &targets, nb::arg("bf16") = false);
  m.def("prepare", &prepare, nb::arg("strips"), nb::arg("pixel_bytes"), nb::arg("width"),
        nb::arg("height"), nb::arg("fields"), nb::arg("mean"), nb::arg("scale"),
        nb::arg("mean_picture").none(), nb::arg("crops"));
  m.def("prepare_cut", &prepare_cut, nb::arg("strips"), nb::arg("pixel_bytes"), nb::arg("width"),
        nb::arg("height"), nb::arg("fields"), nb::arg("mean"), nb::arg("scale"),
        nb::arg("mean_picture").none(), nb::arg("step"), nb::arg("mirrored"));
}
