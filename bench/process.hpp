// Other programs: workers that answer line by line, and commands that run to their end.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bench {

// Variables to set, or (without a value) to take out, for a program's start.
using Environment = std::map<std::string, std::optional<std::string>>;

// A worker (worker.hpp) in a process of its own.
class Worker {
 public:
  Worker(const std::string& program, const Environment& environment);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // The answer to a line; an error where the worker says so, or has died.
  std::string ask(const std::string& line);
  std::vector<double> numbers(const std::string& line);  // an answer of numbers

 private:
  std::string name_, buffer_;
  int pid_ = -1, socket_ = -1;
};

struct Ended {
  int status;      // of exit(); 128 + n: died of signal n
  double seconds;  // of processor time, the programs that it ran included
  double peak;     // bytes: the most that it, or a program that it ran, held at once
};
Ended run(const std::vector<std::string>& command, const Environment& environment, const std::string& folder);

}  // namespace bench
