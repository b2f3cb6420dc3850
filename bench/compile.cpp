#include "bench/compile.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

namespace bench {
namespace {

using Words = std::vector<std::string>;

// BENCH_... come from CMake.
struct Program {
  Side side;
  std::string source;
  Words flags, libraries;
};

Words split(const std::string& list) {  // a|b|c
  Words words;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find('|', at), list.size());
    if (end > at) words.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::vector<Program> programs() {
  std::vector<Program> list;
#ifdef BENCH_TORCH_INCLUDE
  list.push_back({torch,
                  BENCH_ROOT "/bench/compile_torch.cpp",
                  {"-std=c++17", "-isystem", BENCH_TORCH_INCLUDE},
                  split(BENCH_TORCH_LIBRARIES)});
#endif
  list.push_back({xgrad,
                  BENCH_ROOT "/bench/compile_xgrad.cpp",
                  {"-std=c++20", "-I", BENCH_XGRAD_INCLUDE},
                  split(BENCH_XGRAD_LIBRARIES)});
  return list;
}

struct Folder {  // of temporary files
  std::string path = std::filesystem::temp_directory_path() / "xgrad_bench_XXXXXX";
  Folder() {
    if (!mkdtemp(path.data())) throw std::runtime_error("no temporary folder");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

Ended succeed(const Words& command, const std::string& folder) {
  const Ended ended = run(command, {{"CCACHE_DISABLE", "1"}, {"OMP_NUM_THREADS", "1"}}, folder);
  if (ended.status != 0)
    throw std::runtime_error(fmt::format("status {} of: {}", ended.status, fmt::join(command, " ")));
  return ended;
}

// Links what was compiled and runs it: a program that does not train is no peer.
void check(const Program& program, const std::string& folder) {
  Words link{BENCH_COMPILER, "program.o", "-o", "program"};
  for (const std::string& library : program.libraries) {
    link.push_back(library);
    if (const std::size_t slash = library.rfind('/'); slash != std::string::npos)
      link.push_back("-Wl,-rpath," + library.substr(0, slash));
  }
  succeed(link, folder);
  succeed({"/bin/sh", "-c", "./program > output"}, folder);
}

}  // namespace

std::vector<Measured> measure_compiling(int runs) {
  Measured time{"compiling a small network's program", 10};
  Measured memory{"peak memory of compiling it", 10, 0, 0, Unit::bytes};
  const std::vector<Program> all = programs();
  std::array<std::vector<double>, 3> seconds, bytes;
  for (int i = 0; i < runs; ++i)
    for (const Program& program : all) {
      const Folder folder;
      Words command{BENCH_COMPILER, "-O2", "-c", program.source, "-o", "program.o"};
      command.insert(command.end(), program.flags.begin(), program.flags.end());
      const Ended ended = succeed(command, folder.path);
      seconds[program.side].push_back(ended.seconds);
      bytes[program.side].push_back(ended.peak);
      if (i == 0) check(program, folder.path);
    }
  const auto summarise = [](Measured& m, const std::array<std::vector<double>, 3>& numbers) {
    for (const Side side : {torch, xgrad})
      if (!numbers[side].empty()) m.median[side] = median(numbers[side]);
    if (m.median[torch]) m.times_torch = *m.median[torch] / *m.median[xgrad];
  };
  summarise(time, seconds);
  summarise(memory, bytes);
  return {time, memory};
}

}  // namespace bench
