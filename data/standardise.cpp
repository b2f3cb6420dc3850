#include <xgrad/data/standardise.hpp>

#include <fmt/core.h>

#include <cmath>
#include <vector>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::data {
namespace {

void check(const Standardiser& s, const Tensor& x, Source source) {
  if (!s.mean.defined() || !s.deviation.defined())
    fail(source.named("standardise"), "this Standardiser has no numbers; make it by standardiser(train)");
  if (x.dim(source.named("standardise")) == 0 || x.shape()[-1] != s.mean.numel() || !is_float(x.dtype()))
    fail(source.named("standardise"), "expected floats of {} features along the last axis, got {} {}", s.mean.numel(),
         name(x.dtype()), x.shape());
}

// Of an infinity there is no mean, and a deviation of NaN.
void check_finite(const Tensor& deviation, Source source) {
  const std::vector<double> each = deviation.to_vector<double>(source.named("standardiser"));
  for (std::size_t i = 0; i < each.size(); ++i)
    if (!std::isfinite(each[i]))
      fail(
          source.named("standardiser"),
          "expected finite numbers, got some in feature {} that are infinite or have no finite square; leave out these "
          "rows, or make them NaN, which is missing",
          i);
}

}  // namespace

Tensor Standardiser::operator()(const Tensor& x, Source source) const {
  check(*this, x, source);
  const Located at(source, "standardise");
  const Tensor m = cast(mean, x.dtype()), d = cast(deviation, x.dtype());
  return where(isnan(x), 0.0, (x - m) / d);
}

Tensor Standardiser::inverse(const Tensor& x, Source source) const {
  check(*this, x, source);
  const Located at(source, "standardise");
  return cast(mean, x.dtype()) + cast(deviation, x.dtype()) * x;
}

Standardiser standardiser(const Tensor& train, Source source) {
  if (train.dim(source.named("standardiser")) != 2 || !is_float(train.dtype()))
    fail(source.named("standardiser"), "expected floats [rows, features], got {} {}", name(train.dtype()),
         train.shape());
  const Located at(source, "standardiser");
  const NoGrad constant;
  const Tensor x = cast(train, f64), there = logical_not(isnan(x)), count = at_least(cast(sum(there, 0), f64), 1.0);
  const Tensor mean = sum(where(there, x, 0.0), 0) / count;
  const Tensor deviation = sqrt(sum(where(there, square(x - mean), 0.0), 0) / count);
  check_finite(deviation, source);
  const Tensor flat = deviation <= 1e-14 * abs(mean);  // what rounding leaves of a constant
  return {evaluate(cast(mean, train.dtype())), evaluate(cast(where(flat, 1.0, deviation), train.dtype()))};
}

}  // namespace xgrad::data
