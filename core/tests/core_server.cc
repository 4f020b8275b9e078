// The core in a process of its own, for tests/process_core.py: where a target runs in an emulator,
// the parity suite asks it this way.
//
//     core_server TARGET
//
// A request is a line, its arrays' bytes behind it: a word, numbers, ';', the bytes of each array.
// So is an answer, without the word.
//   target                          ; text
//   open                  ; plan    lens, then the status: code, op, tensor, seen, expected
//   feed LENS PLANE BAND  ; rows    status
//   run LENS BATCH        ; inputs  status ; outputs
//   close LENS
#include <pocketlens/core.h>
#include <stdio.h>
#include <string.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Bytes = std::vector<uint8_t>;

struct Request {
  std::string name;
  std::vector<uint32_t> numbers;
  std::vector<Bytes> arrays;
};

struct Answer {
  std::vector<uint64_t> numbers;
  std::vector<Bytes> arrays;

  void tell(const pl_status& status) {
    for (const int32_t number : {status.code, status.op, status.tensor}) {
      numbers.push_back(static_cast<uint32_t>(number));
    }
    numbers.push_back(status.seen);
    numbers.push_back(status.expected);
  }
};

bool read_line(std::string* line) {
  line->clear();
  for (int c = getchar(); c != EOF; c = getchar()) {
    if (c == '\n') return true;
    line->push_back(static_cast<char>(c));
  }
  return false;
}

bool read_request(Request* request) {
  std::string line;
  if (!read_line(&line)) return false;
  const size_t cut = line.find(';');
  std::istringstream head(line.substr(0, cut)), sizes(line.substr(cut + 1));
  *request = {};
  head >> request->name;
  for (uint32_t number; head >> number;) request->numbers.push_back(number);
  for (size_t size; sizes >> size;) {
    request->arrays.emplace_back(size);
    if (fread(request->arrays.back().data(), 1, size, stdin) != size) return false;
  }
  return true;
}

void write_answer(const Answer& answer) {
  std::ostringstream line;
  for (const uint64_t number : answer.numbers) line << number << ' ';
  line << ';';
  for (const Bytes& array : answer.arrays) line << ' ' << array.size();
  line << '\n';
  const std::string text = line.str();
  fwrite(text.data(), 1, text.size(), stdout);
  for (const Bytes& array : answer.arrays) fwrite(array.data(), 1, array.size(), stdout);
  fflush(stdout);
}

class Server {
 public:
  explicit Server(const char* target) : target_(target) {}

  Answer answer(Request& request) {
    Answer made;
    if (request.name == "target") made.arrays.push_back(text(target_));
    if (request.name == "open") open(request, &made);
    if (request.name == "feed") {
      Bytes& rows = request.arrays.at(0);
      made.tell(pl_feed(lens_of(request), request.numbers.at(1), request.numbers.at(2), rows.data(),
                        rows.size()));
    }
    if (request.name == "run") run(request, &made);
    if (request.name == "close") lenses_.at(request.numbers.at(0)).reset();
    return made;
  }

 private:
  static Bytes text(const char* of) { return Bytes(of, of + strlen(of)); }

  pl_lens* lens_of(const Request& request) { return lenses_.at(request.numbers.at(0)).get(); }

  void open(const Request& request, Answer* made) {
    pl_lens* lens = nullptr;
    const Bytes& plan = request.arrays.at(0);
    const pl_status status = pl_open(plan.data(), plan.size(), target_, PL_FP32, 1, &lens);
    made->numbers.push_back(lenses_.size());
    made->tell(status);
    lenses_.emplace_back(lens, pl_close);
  }

  void run(Request& request, Answer* made) {
    pl_lens* lens = lens_of(request);
    const uint32_t batch = request.numbers.at(1);
    std::vector<const float*> inputs;
    for (const Bytes& array : request.arrays) {
      inputs.push_back(reinterpret_cast<const float*>(array.data()));
    }
    std::vector<float*> outputs;
    for (size_t i = 0; pl_output_floats(lens, i) != 0; ++i) {
      made->arrays.emplace_back(pl_output_floats(lens, i) * batch * sizeof(float));
    }
    for (Bytes& array : made->arrays) outputs.push_back(reinterpret_cast<float*>(array.data()));
    made->tell(pl_run(lens, batch, inputs.data(), outputs.data()));
  }

  const char* target_;
  std::vector<std::unique_ptr<pl_lens, void (*)(pl_lens*)>> lenses_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  Server server(arguments[1]);
  for (Request request; read_request(&request);) write_answer(server.answer(request));
  return 0;
}
