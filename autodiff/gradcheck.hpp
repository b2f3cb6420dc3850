// gradcheck: a check of a function's derivatives against central differences, in f64. Bodies: api/gradcheck.cpp.
#pragma once

#include <string>

#include <xgrad/autodiff/differentiate.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

struct GradCheckOptions {
  int order = 1;            // 1, or 2: also the gradient's gradient
  double step = 1e-5;       // of the differences
  double tolerance = 1e-6;  // |exact - numeric| <= tolerance max(1, |exact|)
};
struct GradCheck {
  bool passed = false;
  double worst = 0;     // the greatest |exact - numeric| / max(1, |exact|)
  std::string message;  // says where
};
GradCheck gradcheck(const Function& f, const In& x, GradCheckOptions options = {});
std::string to_string(const GradCheck& check);

}  // namespace xgrad

template <>
struct [[gnu::visibility("default")]] fmt::formatter<xgrad::GradCheck> {
  constexpr auto parse(fmt::format_parse_context & context) { return context.begin(); }
  fmt::appender format(const xgrad::GradCheck& check, fmt::format_context& context) const;
};

#pragma GCC visibility pop
