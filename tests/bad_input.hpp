// Tables of bad input: each row must be one xgrad::Error with the row's own line, the op, and what it is to say; and
// whatever the program holds is as it was before.
#pragma once

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <typeinfo>
#include <vector>

#include <xgrad/autodiff.hpp>

namespace bad_input {

struct Row {
  std::function<void()> work;
  std::vector<std::string> parts;  // of the message
  int line;
};

class Table {
 public:
  // `state` gives what must not change, as bytes.
  Table(const char* file, std::function<std::string()> state) : state_(std::move(state)) {
    const char* slash = std::strrchr(file, '/');
    file_ = slash ? slash + 1 : file;
  }

  void add(std::function<void()> work, std::vector<std::string> parts, int line = __builtin_LINE()) {
    rows_.push_back({std::move(work), std::move(parts), line});
  }

  void check() const {
    const std::string before = state_();
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Row& row = rows_[i];
      const int end = i + 1 < rows_.size() ? rows_[i + 1].line : row.line + 20;
      std::string message;
      try {
        row.work();
      } catch (const xgrad::Error& error) {
        message = error.what();
      } catch (const std::exception& other) {
        message = fmt::format("another exception, {}: {}", typeid(other).name(), other.what());
      }
      const std::string wrong = wrong_with(message, row, end);
      BOOST_TEST(wrong == "", fmt::format("{}:{}: {}\n  in: {}", file_, row.line, wrong, message));
      BOOST_TEST((state_() == before), fmt::format("{}:{}: something has changed after: {}", file_, row.line, message));
    }
  }

 private:
  std::string wrong_with(const std::string& message, const Row& row, int end) const {
    if (message.empty()) return "no Error";
    if (message.compare(0, file_.size() + 1, file_ + ":") != 0) return "the file is not named";
    char* after = nullptr;
    const long line = std::strtol(message.c_str() + file_.size() + 1, &after, 10);
    if (line < row.line || line >= end) return fmt::format("the line is not {} ... {}", row.line, end - 1);
    if (std::strncmp(after, ": [", 3) != 0) return "no op is named";
    for (const std::string& part : row.parts)
      if (message.find(part, static_cast<std::size_t>(after - message.c_str())) == std::string::npos)
        return fmt::format("nothing is said of '{}'", part);
    for (const char* nonsense : {"0 ... -1", "of 0 axes", "of 1 axes", "missing none", "model none", "  "})
      if (message.find(nonsense) != std::string::npos) return fmt::format("it says '{}'", nonsense);
    return {};
  }

  std::string file_;
  std::function<std::string()> state_;
  std::vector<Row> rows_;
};

// A tensor's shape, dtype and bits, for Table's state.
inline std::string bits(const xgrad::Tensor& t) {
  if (!t.defined()) return "(empty)";
  const auto numbers = t.to_vector<double>();
  return fmt::format("{} {}:", xgrad::name(t.dtype()), t.shape()) +
         std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(double));
}
inline std::string record() {
  const xgrad::Counters c = xgrad::counters();
  return fmt::format("{} taped, {} pending, {} bytes;", c.taped, c.pending, c.bytes);
}

}  // namespace bad_input
