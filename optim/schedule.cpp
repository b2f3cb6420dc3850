#include <xgrad/optim/schedule.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <xgrad/optim/optimizer.hpp>

#include "optim/rates.hpp"

namespace xgrad::optim {
namespace {
double number(Size n) { return static_cast<double>(n); }
}  // namespace

double Schedule::operator()(Size t, double base, Source source) const {
  if (t < 0) fail(source.named(name_), "expected a step of 0 or more, got {}", t);
  const double factor = function_(t, base, source);
  if (!(factor >= 0) || std::isinf(factor))
    fail(source.named(name_), "expected a finite factor of 0 or more at step {}, got {}", t, factor);
  return factor;
}

Schedule step_decay(StepOptions o, Source source) { return named_step_decay("step_decay", o, source); }
Schedule named_step_decay(const char* name, StepOptions o, Source source) {
  const Require require{name, source};
  require(o.every > 0, "every to be given, 1 or more", number(o.every));
  require.not_negative("gamma", o.gamma);
  return {name, [o](Size t, double, Source) { return std::pow(o.gamma, number(t / o.every)); }};
}

Schedule cosine(CosineOptions o, Source source) { return named_cosine("cosine", o, source); }
Schedule named_cosine(const char* name, CosineOptions o, Source source) {
  const Require require{name, source};
  require(o.steps > 0, "steps to be given, 1 or more", number(o.steps));
  require.not_negative("min_lr", o.min_lr);
  return {name, [o, name](Size t, double base, Source at) {
            Require{name, at}(base > 0 || o.min_lr == 0, "an lr above 0, to go from it to min_lr", base);
            const double least = base > 0 ? o.min_lr / base : 0;
            return least + (1 - least) * (1 + std::cos(std::numbers::pi * number(t) / number(o.steps))) / 2;
          }};
}

Schedule warmup(WarmupOptions o, Source source) { return named_warmup("warmup", o, source); }
Schedule named_warmup(const char* name, WarmupOptions o, Source source) {
  const Require require{name, source};
  require(o.steps > 0, "1 step or more", number(o.steps));
  require.not_negative("start", o.start);
  require.not_negative("end", o.end);
  return {name, [o](Size t, double, Source) {
            return o.start + (o.end - o.start) * (number(std::min(t, o.steps)) / number(o.steps));
          }};
}

Schedule sequence(std::vector<Part> parts, Source source) {
  const Require require{"sequence", source};
  require(!parts.empty(), "1 part or more", 0);
  for (std::size_t i = 0; i + 1 < parts.size(); ++i)
    require(parts[i].steps > 0, "the steps of all parts but the last, 1 or more", number(parts[i].steps));
  return {"sequence", [parts = std::move(parts)](Size t, double base, Source at) {
            std::size_t i = 0;
            for (; i + 1 < parts.size() && t >= parts[i].steps; ++i) t -= parts[i].steps;
            return parts[i].schedule(t, base, at);
          }};
}

Schedule product(std::vector<Schedule> factors, Source source) {
  Require{"product", source}(!factors.empty(), "1 schedule or more", 0);
  return {"product", [factors = std::move(factors)](Size t, double base, Source at) {
            double all = 1;
            for (const Schedule& factor : factors) all *= factor(t, base, at);
            return all;
          }};
}

}  // namespace xgrad::optim
