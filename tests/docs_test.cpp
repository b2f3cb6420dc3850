// docs/ops.md says what the tables of ops say. XGRAD_WRITE_DOCS=1 writes it anew.
#define BOOST_TEST_MODULE docs
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "autodiff/engine/op.hpp"

using namespace xgrad;
using engine::Forward;
using engine::Kind;
using engine::Op;

namespace {

const std::string begin_mark = "<!-- ops -->\n", end_mark = "<!-- /ops -->";

std::filesystem::path page() { return std::filesystem::path(XGRAD_SOURCE_DIR) / "docs/ops.md"; }

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Those that have a slope, and the comparisons.
std::string elementwise() {
  std::string t = "## Elementwise, of one operand\ny is the result.\n\n| op | value | dy/dx | tested on |\n|---|---|---|---|\n";
#define UNARY(op, lane, slope, low, high) \
  t += fmt::format("| `{}` | `{}` | `{}` | {} ... {} |\n", #op, #lane, #slope, #low, #high);
#include "autodiff/elementwise.def"
  t += "\n## Elementwise, of two operands\nz is the result.\n\n| op | value | dz/dx | dz/dy | x tested on | y tested on |\n"
       "|---|---|---|---|---|---|\n";
#define BINARY(op, lane, slope_x, slope_y, x_low, x_high, y_low, y_high)                                          \
  t += fmt::format("| `{}` | `{}` | `{}` | `{}` | {} ... {} | {} ... {} |\n", #op, #lane, #slope_x, #slope_y, #x_low, \
                   #x_high, #y_low, #y_high);
#include "autodiff/elementwise.def"
  t += "\n## Elementwise, of three operands\nw is the result.\n\n| op | value | dw/dx | dw/dy | dw/dz | x tested on | y tested on | "
       "z tested on |\n|---|---|---|---|---|---|---|---|\n";
#define TERNARY(op, lane, slope_x, slope_y, slope_z, x_low, x_high, y_low, y_high, z_low, z_high)                       \
  t += fmt::format("| `{}` | `{}` | `{}` | `{}` | `{}` | {} ... {} | {} ... {} | {} ... {} |\n", #op, #lane, #slope_x, #slope_y, \
                   #slope_z, #x_low, #x_high, #y_low, #y_high, #z_low, #z_high);
#include "autodiff/elementwise.def"
  t += "\n## Comparisons\nBoolean, without derivatives.\n\n| op | value |\n|---|---|\n";
#define COMPARE(op, lane) t += fmt::format("| `{}` | `{}` |\n", #op, #lane);
#include "autodiff/elementwise.def"
  return t;
}

const char* words(Kind kind) {
  switch (kind) {
    case Kind::elementwise: return "elementwise";
    case Kind::view: return "view: no work";
    case Kind::reduction: return "reduction: the end of a fused pass";
    default: return "computed between fused passes";
  }
}
const char* words(Forward forward) {
  switch (forward) {
    case Forward::linear: return "linear: the op itself";
    case Forward::bilinear: return "bilinear: the op, of each operand in turn";
    case Forward::own: return "a rule of its own";
    case Forward::transposed: return "the transpose of its rule";
    default: return "none";
  }
}

// The others, whose rules stand beside their work.
std::string others() {
  std::string t = "\n## The others\nTheir rules for cotangents stand beside their work, in `autodiff/ops/`.\n\n"
                  "| op | kind | how a tangent goes through |\n|---|---|---|\n";
  for (int i = static_cast<int>(Op::leaf) + 1; i < static_cast<int>(Op::count); ++i) {
    const engine::Rule& rule = engine::rule(static_cast<Op>(i));
    const Op op = static_cast<Op>(i);
    const bool listed = rule.slope || engine::is_comparison(op);
    const bool of_a_slope = rule.kind == Kind::elementwise && std::string(rule.name).ends_with("_vjp");
    if (!listed && !of_a_slope)
      t += fmt::format("| `{}` | {} | {} |\n", rule.name, words(rule.kind), words(rule.forward));
  }
  return t;
}

std::string differences(const std::string& page, const std::string& tables) {
  std::string all;
  const auto lines_without = [&](const std::string& of, const std::string& other, char mark) {
    std::istringstream lines(of);
    for (std::string line; std::getline(lines, line);)
      if (("\n" + other).find("\n" + line + "\n") == std::string::npos) all += fmt::format("\n{} {}", mark, line);
  };
  lines_without(page, tables, '-');
  lines_without(tables, page, '+');
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(list_of_ops) {
  const std::string text = read(page()), tables = elementwise() + others();
  const std::size_t begin = text.find(begin_mark), end = text.find(end_mark);
  BOOST_REQUIRE_MESSAGE(begin != text.npos && end != text.npos && begin < end, "docs/ops.md has no place for the tables");
  const std::size_t from = begin + begin_mark.size();
  if (std::getenv("XGRAD_WRITE_DOCS"))
    std::ofstream(page()) << text.substr(0, from) << tables << text.substr(end);
  else
    BOOST_CHECK_MESSAGE(text.substr(from, end - from) == tables,
                        "docs/ops.md is stale; XGRAD_WRITE_DOCS=1 ctest -R '^docs$' writes it anew:"
                            << differences(text.substr(from, end - from), tables));
}
