#include <xgrad/optim/decays.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <xgrad/optim/optimizer.hpp>

#include "optim/rates.hpp"

namespace xgrad::optim {
namespace {

double number(Size n) { return static_cast<double>(n); }
double progress(Size t, Size steps) { return number(std::min(t, steps)) / number(steps); }
double whole(Size t, Size every, bool stairs) { return stairs ? number(t / every) : number(t) / number(every); }

double form(Ramp ramp, double p) {
  switch (ramp) {
    case Ramp::linear: return p;
    case Ramp::cosine: return (1 - std::cos(std::numbers::pi * p)) / 2;
    case Ramp::sqrt: return std::sqrt(p);
    case Ramp::square: return p * p;
    case Ramp::late: return 1 - std::sqrt(1 - p);
  }
  return p;
}

}  // namespace

double least_of(const char* name, double min_lr, double base, Source at) {
  Require{name, at}(base > 0 || min_lr == 0, "an option above 0, to go from it to another value", base);
  return base > 0 ? min_lr / base : 0;
}

Schedule multistep_decay(MultiStepOptions o, Source source) {
  const char* name = "multistep_decay";
  const Require require{name, source};
  require(!o.milestones.empty(), "1 milestone or more", 0);
  for (const Size at : o.milestones) require(at >= 0, "milestones of 0 or more", number(at));
  require.not_negative("gamma", o.gamma);
  std::sort(o.milestones.begin(), o.milestones.end());
  return {name, [o](Size t, double, Source) {
            const auto past = std::upper_bound(o.milestones.begin(), o.milestones.end(), t) - o.milestones.begin();
            return std::pow(o.gamma, number(past));
          }};
}

Schedule constant(ConstantOptions o, Source source) {
  const Require require{"constant", source};
  require.not_negative("factor", o.factor);
  require(o.steps >= 0, "0 steps or more", number(o.steps));
  return {"constant", [o](Size t, double, Source) { return t < o.steps ? o.factor : 1.0; }};
}

Schedule exponential_decay(ExponentialOptions o, Source source) {
  const Require require{"exponential_decay", source};
  require(o.gamma > 0 && std::isfinite(o.gamma), "gamma to be given, above 0", o.gamma);
  require(o.every > 0, "every of 1 or more", number(o.every));
  return {"exponential_decay", [o](Size t, double, Source) { return std::pow(o.gamma, whole(t, o.every, o.stairs)); }};
}

Schedule polynomial_decay(PolynomialOptions o, Source source) {
  const char* name = "polynomial_decay";
  const Require require{name, source};
  require(o.steps > 0, "1 step or more", number(o.steps));
  require.not_negative("power", o.power);
  require.not_negative("min_lr", o.min_lr);
  return {name, [o, name](Size t, double base, Source at) {
            const double least = least_of(name, o.min_lr, base, at);
            const Size cycles = o.cycle ? std::max<Size>(1, t / o.steps + (t % o.steps != 0)) : 1;
            const double p = std::min(1.0, number(t) / number(o.steps) / number(cycles));
            return least + (1 - least) * std::pow(1 - p, o.power);
          }};
}

Schedule inverse_time_decay(InverseTimeOptions o, Source source) {
  const Require require{"inverse_time_decay", source};
  require(o.rate > 0 && std::isfinite(o.rate), "the rate to be given, above 0", o.rate);
  require(o.every > 0, "every of 1 or more", number(o.every));
  return {"inverse_time_decay", [o](Size t, double, Source) { return 1 / (1 + o.rate * whole(t, o.every, o.stairs)); }};
}

Schedule inverse_sqrt_decay(InverseSqrtOptions o, Source source) {
  Require{"inverse_sqrt_decay", source}(o.timescale > 0, "a timescale of 1 or more", number(o.timescale));
  return {"inverse_sqrt_decay", [o](Size t, double, Source) {
            return 1 / std::sqrt((number(t) + number(o.timescale)) / number(o.timescale));
          }};
}

Schedule power_decay(PowerOptions o, Source source) {
  const Require require{"power_decay", source};
  require.not_negative("power", o.power);
  require(o.offset > 0 && std::isfinite(o.offset), "an offset above 0", o.offset);
  return {"power_decay", [o](Size t, double, Source) { return std::pow(1 + number(t) / o.offset, -o.power); }};
}

Schedule rex_decay(RexOptions o, Source source) {
  const char* name = "rex_decay";
  const Require require{name, source};
  require(o.steps > 0, "steps to be given, 1 or more", number(o.steps));
  require.not_negative("min_lr", o.min_lr);
  return {name, [o, name](Size t, double base, Source at) {
            const double least = least_of(name, o.min_lr, base, at), p = progress(t, o.steps);
            return least + (1 - least) * ((1 - p) / (1 - p / 2));
          }};
}

Schedule noam(NoamOptions o, Source source) {
  const Require require{"noam", source};
  require(o.width > 0, "the width to be given, 1 or more", number(o.width));
  require(o.warmup > 0, "a warmup of 1 step or more", number(o.warmup));
  return {"noam", [o](Size t, double, Source) {
            const double s = number(t) + 1;
            return std::min(1 / std::sqrt(s), s * std::pow(number(o.warmup), -1.5)) / std::sqrt(number(o.width));
          }};
}

Schedule demon(DemonOptions o, Source source) {
  Require{"demon", source}(o.steps > 0, "steps to be given, 1 or more", number(o.steps));
  return {"demon", [o](Size t, double base, Source at) {
            Require{"demon", at}(base >= 0 && base < 1, "a momentum in [0, 1)", base);
            const double left = 1 - progress(t, o.steps);
            return left / ((1 - base) + base * left);
          }};
}

Schedule ramp(RampOptions o, Source source) {
  const Require require{"ramp", source};
  require(o.steps > 0, "steps to be given, 1 or more", number(o.steps));
  require.not_negative("from", o.from);
  require.not_negative("to", o.to);
  return {"ramp",
          [o](Size t, double, Source) { return o.from + (o.to - o.from) * form(o.form, progress(t, o.steps)); }};
}

Schedule warmup_stable_decay(WarmupStableDecayOptions o, Source source) {
  const Require require{"warmup_stable_decay", source};
  require(o.warmup >= 0, "a warmup of 0 steps or more", number(o.warmup));
  require(o.stable >= 0, "0 stable steps or more", number(o.stable));
  require(o.decay > 0, "the steps of the decay to be given, 1 or more", number(o.decay));
  require.not_negative("least", o.least);
  std::vector<Part> parts;
  if (o.warmup > 0) parts.push_back({ramp({o.warmup, o.least, 1, o.up}, source), o.warmup});
  if (o.stable > 0) parts.push_back({constant({1, 0}, source), o.stable});
  parts.push_back({ramp({o.decay, 1, o.least, o.down}, source), 0});
  return sequence(std::move(parts), source);
}

Schedule anneal(AnnealOptions o, Source source) {
  const Require require{"anneal", source};
  require(o.lr > 0 && std::isfinite(o.lr), "the lr to be given, above 0", o.lr);
  require(o.steps > 0, "1 step or more", number(o.steps));
  return {"anneal", [o](Size t, double base, Source at) {
            const double end = least_of("anneal", o.lr, base, at);
            const double a = form(o.linear ? Ramp::linear : Ramp::cosine, progress(t, o.steps));
            return end * a + (1 - a);
          }};
}

Schedule piecewise(std::vector<Corner> corners, Between between, Source source) {
  const Require require{"piecewise", source};
  require(!corners.empty(), "1 corner or more", 0);
  for (std::size_t i = 0; i < corners.size(); ++i) {
    require.not_negative("factor", corners[i].factor);
    require(corners[i].t >= 0 && (i == 0 || corners[i].t > corners[i - 1].t), "corners at steps of 0 or more, in order",
            number(corners[i].t));
  }
  return {"piecewise", [corners = std::move(corners), between](Size t, double, Source) {
            std::size_t next = 0;
            while (next < corners.size() && corners[next].t <= t) ++next;
            if (next == 0) return corners[0].factor;
            const Corner& from = corners[next - 1];
            if (next == corners.size() || between == Between::constant) return from.factor;
            const Corner& to = corners[next];
            const double p = number(t - from.t) / number(to.t - from.t);
            return from.factor +
                   (to.factor - from.factor) * form(between == Between::linear ? Ramp::linear : Ramp::cosine, p);
          }};
}

}  // namespace xgrad::optim
