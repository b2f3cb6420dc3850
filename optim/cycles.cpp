#include <xgrad/optim/cycles.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <xgrad/optim/optimizer.hpp>

#include "optim/rates.hpp"

namespace xgrad::optim {
namespace {

double number(Size n) { return static_cast<double>(n); }
double half_cosine(double p) { return (1 + std::cos(std::numbers::pi * p)) / 2; }  // from 1 to 0

}  // namespace

Schedule cosine_restarts(RestartsOptions o, Source source) {
  const char* name = "cosine_restarts";
  const Require require{name, source};
  require(o.steps > 0, "steps to be given, 1 or more", number(o.steps));
  require(o.factor > 0, "a factor of 1 or more", number(o.factor));
  require.not_negative("min_lr", o.min_lr);
  require.not_negative("decay", o.decay);
  return {name, [o, name](Size t, double base, Source at) {
            const double least = least_of(name, o.min_lr, base, at);
            Size length = o.steps, cycle = 0;
            if (o.factor == 1) {
              cycle = t / length;
              t %= length;
            } else {
              for (; t >= length; ++cycle) {
                t -= length;
                if (__builtin_mul_overflow(length, o.factor, &length)) length = t + 1;
              }
            }
            return least + (1 - least) * std::pow(o.decay, number(cycle)) * half_cosine(number(t) / number(length));
          }};
}

Schedule cosine_cycles(CosineCyclesOptions o, Source source) {
  const char* name = "cosine_cycles";
  const Require require{name, source};
  require(o.steps > 0, "steps to be given, 1 or more", number(o.steps));
  require(o.cycles > 0 && std::isfinite(o.cycles), "cycles above 0", o.cycles);
  require.not_negative("min_lr", o.min_lr);
  return {name, [o, name](Size t, double base, Source at) {
            const double least = least_of(name, o.min_lr, base, at), p = number(t) / number(o.steps);
            double high = 0;
            if (!o.hard) high = std::max(0.0, half_cosine(2 * o.cycles * p));
            else if (p < 1) high = half_cosine(std::fmod(o.cycles * p, 1.0));
            return least + (1 - least) * high;
          }};
}

Schedule cyclic(CyclicOptions o, Source source) {
  const Require require{"cyclic", source};
  require(o.peak > 0 && std::isfinite(o.peak), "the peak to be given, above 0", o.peak);
  require(o.up > 0, "1 step up or more", number(o.up));
  require(o.down >= 0, "0 steps down or more", number(o.down));
  require.not_negative("gamma", o.gamma);
  if (o.down == 0) o.down = o.up;
  return {"cyclic", [o](Size t, double base, Source at) {
            const double peak = least_of("cyclic", o.peak, base, at);
            const Size cycle = t / (o.up + o.down), in = t % (o.up + o.down);
            const double s = in <= o.up ? number(in) / number(o.up) : number(o.up + o.down - in) / number(o.down);
            double k = 1;
            if (o.form == CyclicOptions::Form::triangular2) k = std::pow(0.5, number(cycle));
            else if (o.form == CyclicOptions::Form::exp_range) k = std::pow(o.gamma, number(t));
            return 1 + (peak - 1) * s * k;
          }};
}

namespace {

void check(const Require& require, const OneCycleOptions& o) {
  require(o.steps > 1, "steps to be given, 2 or more", number(o.steps));
  const double first_end = o.pct_start * number(o.steps) - 1;
  require(o.pct_start > 0 && o.pct_start < 1 && first_end > 0, "a pct_start in (0, 1) that is more than one step",
          o.pct_start);
  require(!o.three_phase || 2 * first_end < number(o.steps) - 1, "a pct_start below 1/2 for three phases", o.pct_start);
  require(o.div_factor > 0 && std::isfinite(o.div_factor), "a div_factor above 0", o.div_factor);
  require(o.final_div_factor > 0 && std::isfinite(o.final_div_factor), "a final_div_factor above 0",
          o.final_div_factor);
  require.not_negative("base_momentum", o.base_momentum);
}

// At step t: from low to high, [back to low,] to end.
double one_cycle_at(const OneCycleOptions& o, Size t, double low, double high, double end) {
  const double last = number(o.steps) - 1, top = o.pct_start * number(o.steps) - 1, at = std::min(number(t), last);
  const auto between = [&](double x, double y, double p) {
    return o.linear ? x + (y - x) * p : y + (x - y) * half_cosine(p);
  };
  if (at <= top) return between(low, high, at / top);
  if (!o.three_phase) return between(high, end, (at - top) / (last - top));
  if (at <= 2 * top) return between(high, low, (at - top) / top);
  return between(low, end, (at - 2 * top) / (last - 2 * top));
}

}  // namespace

Schedule one_cycle(OneCycleOptions o, Source source) {
  check(Require{"one_cycle", source}, o);
  return {"one_cycle", [o](Size t, double, Source) {
            const double low = 1 / o.div_factor;
            return one_cycle_at(o, t, low, 1, low / o.final_div_factor);
          }};
}

Schedule one_cycle_momentum(OneCycleOptions o, Source source) {
  check(Require{"one_cycle_momentum", source}, o);
  return {"one_cycle_momentum", [o](Size t, double base, Source at) {
            return one_cycle_at(o, t, 1, least_of("one_cycle_momentum", o.base_momentum, base, at), 1);
          }};
}

}  // namespace xgrad::optim
