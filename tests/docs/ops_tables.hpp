// The tables of docs/ops.md, made from the tables of ops. The build writes them into the page (docs/write_ops.cpp), and
// docs_test holds it to them.
#pragma once

#include <fmt/format.h>

#include <string>

#include "autodiff/engine/op.hpp"

namespace ops_tables {

using namespace xgrad;
using engine::Forward;
using engine::Kind;
using engine::Op;

inline const std::string begin_mark = "<!-- ops -->\n", end_mark = "<!-- /ops -->";

// Those that have a slope, and the comparisons.
inline std::string elementwise() {
  std::string t =
      "## Elementwise, of one operand\ny is the result.\n\n| op | value | dy/dx | tested on |\n|---|---|---|---|\n";
#define UNARY(op, lane, slope, low, high) \
  t += fmt::format("| `{}` | `{}` | `{}` | {} ... {} |\n", #op, #lane, #slope, #low, #high);
#include "autodiff/elementwise.def"
  t +=
      "\n## Elementwise, of two operands\nz is the result.\n\n| op | value | dz/dx | dz/dy | x tested on | y tested on |\n"
      "|---|---|---|---|---|---|\n";
#define BINARY(op, lane, slope_x, slope_y, x_low, x_high, y_low, y_high)                                              \
  t += fmt::format("| `{}` | `{}` | `{}` | `{}` | {} ... {} | {} ... {} |\n", #op, #lane, #slope_x, #slope_y, #x_low, \
                   #x_high, #y_low, #y_high);
#include "autodiff/elementwise.def"
  t +=
      "\n## Elementwise, of three operands\nw is the result.\n\n| op | value | dw/dx | dw/dy | dw/dz | x tested on | y tested on | "
      "z tested on |\n|---|---|---|---|---|---|---|---|\n";
#define TERNARY(op, lane, slope_x, slope_y, slope_z, x_low, x_high, y_low, y_high, z_low, z_high)                      \
  t += fmt::format("| `{}` | `{}` | `{}` | `{}` | `{}` | {} ... {} | {} ... {} | {} ... {} |\n", #op, #lane, #slope_x, \
                   #slope_y, #slope_z, #x_low, #x_high, #y_low, #y_high, #z_low, #z_high);
#include "autodiff/elementwise.def"
  t += "\n## Comparisons\nBoolean, without derivatives.\n\n| op | value |\n|---|---|\n";
#define COMPARE(op, lane) t += fmt::format("| `{}` | `{}` |\n", #op, #lane);
#include "autodiff/elementwise.def"
  return t;
}

inline const char* words(Kind kind) {
  switch (kind) {
    case Kind::elementwise: return "elementwise";
    case Kind::view: return "view: no work";
    case Kind::reduction: return "reduction: the end of a fused pass";
    default: return "computed between fused passes";
  }
}
inline const char* words(Forward forward) {
  switch (forward) {
    case Forward::linear: return "linear: the op itself";
    case Forward::bilinear: return "bilinear: the op, of each operand in turn";
    case Forward::own: return "a rule of its own";
    case Forward::transposed: return "the transpose of its rule";
    default: return "none";
  }
}

// The others, whose rules stand beside their work.
inline std::string others() {
  std::string t =
      "\n## The others\nTheir rules for cotangents stand beside their work, in `autodiff/ops/`.\n\n"
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

// The page with its tables; empty: it has no place for them.
inline std::string with_tables(const std::string& page) {
  const std::size_t begin = page.find(begin_mark), end = page.find(end_mark);
  if (begin == page.npos || end == page.npos || begin > end) return {};
  return page.substr(0, begin + begin_mark.size()) + elementwise() + others() + page.substr(end);
}

}  // namespace ops_tables
