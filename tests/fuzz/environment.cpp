// Variables that xgrad looks at when it first needs to know: a child process for each try.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include <xgrad/autodiff.hpp>

#include "mutator.hpp"
#include "targets.hpp"

namespace fuzz {

using namespace xgrad;

std::string run_environment(std::uint64_t seed) {
  static const std::vector<std::string> corpus{"sse2", "avx2", "avx512", "off",  "always", "1",
                                               "4",    "",     "4,2",    "0x10", "-3",     "1e9"},
      words{",", " ", "\t", "avx", "99999999999999999999", "\xff", "%s%n", "on", "worth"};
  Dice dice(seed);
  std::vector<std::pair<const char*, std::string>> all;
  for (const char* name : {"XGRAD_SIMD", "XGRAD_CODE", "OMP_NUM_THREADS"})
    if (dice.chance(0.6)) all.emplace_back(name, mutated(dice, corpus, words).c_str());  // up to the first '\0'
  std::string said;
  for (const auto& [name, value] : all) said += fmt::format("{}='{}' ", name, value);
  const pid_t child = fork();
  if (child < 0) return "no process";
  if (child == 0) {
    for (const auto& [name, value] : all) setenv(name, value.c_str(), 1);
    const std::string wrong = only_errors([]() -> std::string {
      if (threads() < 1) return "no thread";
      const Tensor x = linspace(0.0, 1.0, 3000, f64);
      const Tensor y = watch(x);
      const double slope = mean(grad(sum(square(y) * 0.5 + y * 2), {y})[0]).item();  // of y + 2
      return std::abs(slope - 2.5) < 1e-9 ? "" : fmt::format("a slope of {}", slope);
    });
    _exit(wrong.empty() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fmt::format("{} {}, with {}", WIFEXITED(status) ? "wrong: exit" : "died of signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), said);
}

}  // namespace fuzz
