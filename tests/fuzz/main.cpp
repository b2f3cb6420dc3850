// fuzz <target> [--seed N] [--runs M] [--seconds S]: run i has the seed N + i. What fails is seen again by
//   fuzz <target> --seed <that seed> --runs 1
// fuzz --names: the targets
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "targets.hpp"

extern "C" void __sanitizer_set_death_callback(void (*)()) __attribute__((weak));

namespace {

char replay[200];  // written before each run, for who dies in it

void say_replay() {
  const ssize_t ignored = write(STDERR_FILENO, replay, std::strlen(replay));
  (void)ignored;
}
void die(int signal) {
  say_replay();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

int usage() {
  fmt::print(stderr, "fuzz <target> [--seed N] [--runs M] [--seconds S]\n");
  for (const fuzz::Target& t : fuzz::targets()) fmt::print(stderr, "  {:12} {}\n", t.name, t.what);
  return 2;
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::strcmp(words[1], "--names") == 0) {
    for (const fuzz::Target& t : fuzz::targets()) fmt::print("{}\n", t.name);
    return 0;
  }
  if (count < 2 || count % 2 != 0) return usage();
  const fuzz::Target* target = nullptr;
  for (const fuzz::Target& t : fuzz::targets())
    if (std::string(t.name) == words[1]) target = &t;
  std::uint64_t seed = 1, runs = std::numeric_limits<std::uint64_t>::max();
  double seconds = 0;
  for (int i = 2; i < count; i += 2) {
    const std::string option = words[i];
    if (option == "--seed") seed = std::strtoull(words[i + 1], nullptr, 10);
    else if (option == "--runs") runs = std::strtoull(words[i + 1], nullptr, 10);
    else if (option == "--seconds") seconds = std::strtod(words[i + 1], nullptr);
    else return usage();
  }
  if (!target || (runs == std::numeric_limits<std::uint64_t>::max() && seconds <= 0)) return usage();

  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(say_replay);
  else
    for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL}) std::signal(signal, die);
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  std::uint64_t done = 0;
  for (; done < runs; ++done) {
    if (seconds > 0 && std::chrono::duration<double>(Clock::now() - begin).count() > seconds) break;
    const std::uint64_t now = seed + done;
    std::snprintf(replay, sizeof replay, "\nfuzz: see it again with  fuzz %s --seed %llu --runs 1\n", target->name,
                  static_cast<unsigned long long>(now));
    std::string wrong;
    try {
      wrong = target->run(now);
    } catch (const std::exception& e) {
      wrong = e.what();
    }
    if (wrong.empty()) continue;
    fmt::print(stderr, "fuzz {}: {}{}", target->name, wrong, replay);
    return 1;
  }
  fmt::print("fuzz {}: {} runs from seed {}, nothing found\n", target->name, done, seed);
  return 0;
}
