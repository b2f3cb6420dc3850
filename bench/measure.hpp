// The rows of the table, and how they are measured: side by side, in pairs, after their results were compared.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/process.hpp"

namespace bench {

enum Side { torch, xgrad, hand };
inline constexpr const char* side_names[] = {"libtorch", "xgrad", "by hand"};

struct Row {
  const char* label;
  std::array<const char*, 3> work;  // each side's name for it; null: not its work
  double target = 0;                // xgrad at least so many times as fast as libtorch; 0: none
  double hand_target = 0;           // at most so many times the hand-written time; 0: none
  double tolerance = 1e-3;          // of results: relative, and 1e-2 of it absolute
  bool products = false;            // the hand's are the matrix products alone: their results are no network's
  double most = 0;                  // seconds that a repeat takes at most, on one thread; 0: no matter
  bool two = false;                 // threads of its own: by the clock, among the rows of all threads
};
extern const std::vector<Row> rows;

enum class Unit { seconds, bytes };
struct Measured {
  std::string label;
  double target = 0, hand_target = 0, most = 0;
  Unit unit = Unit::seconds;
  std::array<std::optional<double>, 3> median = {};  // of each side
  std::optional<double> times_torch = {};            // libtorch / xgrad
  std::optional<double> times_hand = {};             // xgrad / by hand
};

struct LoopMeasured {
  int steps;
  std::optional<double> torch;  // seconds a step
  double xgrad, nodes;          // seconds, and nodes evaluated, a step
};

// The workers of all sides, started with so many threads.
class Workers {
 public:
  Workers(const std::string& folder, int threads, const std::string& core_type, bool quick);

  bool knows(const Row& row) const;  // has xgrad's side this work?
  Measured measure(const Row& row);  // an error where the results differ
  std::vector<LoopMeasured> measure_loop();

 private:
  struct One {
    std::vector<std::unique_ptr<Worker>> workers;  // libtorch: of each core type
    std::size_t fastest = 0;                       // of the row that is measured
    std::string names;
    Worker& worker() { return *workers[fastest]; }
  };
  struct Timed {
    std::array<std::vector<double>, 3> seconds;  // of a repeat, round by round
  };
  bool has(Side side, const char* work) const;
  void compare(const Row& row);
  void pick_fastest(Side side, const char* work);
  Timed time(const std::array<const char*, 3>& work, int least_rounds = 5);
  double run(Side side, const char* work, long repeats);

  std::array<One, 3> sides_;
  bool many_, quick_;
};

// Core types that OpenBLAS may be told here; "" where it picks by itself. And the one that makes a large product the fastest.
std::vector<std::string> core_types();
std::string best_core_type(const std::string& folder);

double median(std::vector<double> numbers);

}  // namespace bench
