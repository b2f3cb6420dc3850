// The speed table: xgrad against libtorch and hand-written loops, on one thread and on all.
//   xgrad_bench [--quick] [--filter name] [--markdown] [--write-readme]
#include <fmt/core.h>

#include <cstring>
#include <exception>
#include <filesystem>
#include <thread>

#include "bench/compile.hpp"
#include "bench/measure.hpp"
#include "bench/report.hpp"

namespace {

using namespace bench;

struct Options {
  bool quick = false, markdown = false, write_readme = false;
  std::string filter;

  bool wants(const std::string& name) const { return name.find(filter) != std::string::npos; }
};

constexpr const char* usage = R"(xgrad_bench [options]: the speed table
  --quick          fewer and shorter runs: a first look
  --filter name    only the rows whose name or work contains this (chain, gelu, conv, images, norm, lstm, gru, transformer, mlp,
                   adam, step, mnist, loop, compiling)
  --markdown       as Markdown
  --write-readme   and into README.md
)";

bool parse(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (word == "--quick") options.quick = true;
    else if (word == "--markdown") options.markdown = true;
    else if (word == "--write-readme") options.write_readme = true;
    else if (word == "--filter" && i + 1 < count) options.filter = arguments[++i];
    else return false;
  }
  return true;
}

int failures = 0;

// What goes wrong in a row is said, and counts; the others are still measured.
template <class F>
void attempt(const F& measure) try {
  measure();
} catch (const std::exception& error) {
  ++failures;
  fmt::print(stderr, "ERROR {}\n", error.what());
}

void measure_with(const std::string& folder, int threads, const std::string& name, const std::string& core_type,
                  const Options& options, std::vector<Table>& tables) {
  Workers workers(folder, threads, core_type, options.quick);
  std::vector<Measured> measured;
  for (const Row& row : rows)
    if (workers.knows(row) && (options.wants(row.label) || options.wants(row.work[xgrad])))
      attempt([&] {
        measured.push_back(workers.measure(row));
        fmt::print(stderr, "  {}\n", line_of(measured.back()));
      });
  if (!measured.empty()) tables.push_back(table_of(name + ": forward and backward, medians", measured));
  if (options.wants("loop"))
    attempt([&] {
      tables.push_back(table_of(name + ": h = h + tanh(h - mean(h)), 10^5 elements", workers.measure_loop()));
    });
}

int measure_all(const Options& options) {
  const std::string folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const std::string core_type = best_core_type(folder);
  const std::string head =
      fmt::format("{}; OpenBLAS core type for the peers: {}, and for libtorch the fastest of each row", machine(),
                  core_type.empty() ? "its own choice" : core_type);
  fmt::print(stderr, "{}\n", head);

  std::vector<Table> tables;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  measure_with(folder, 1, "One thread", core_type, options, tables);
  if (cores > 1) measure_with(folder, cores, fmt::format("All {} threads", cores), core_type, options, tables);
  if (options.wants("compiling"))
    attempt([&] { tables.push_back(table_of("Compiling, -O2", measure_compiling(options.quick ? 1 : 3))); });

  std::string text = head + "\n", markdown = head + ".\n";
  for (const Table& table : tables) {
    text += fmt::format("\n{}", as_text(table));
    markdown += fmt::format("\n{}", as_markdown(table));
  }
  fmt::print("{}", options.markdown ? markdown : text);
  if (options.write_readme && failures == 0) write_between_markers(BENCH_ROOT "/README.md", markdown);
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) try {
  Options options;
  if (!parse(count, arguments, options)) {
    fmt::print(stderr, "{}", usage);
    return 2;
  }
  return measure_all(options);
} catch (const std::exception& error) {
  fmt::print(stderr, "ERROR {}\n", error.what());
  return 1;
}
