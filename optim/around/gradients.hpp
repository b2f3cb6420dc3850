// What works on the gradients before a step. The usual order: RequireFinite, Accumulate, clipping, Centralize, GradientNoise.
#pragma once

#include <cstdint>

#include <xgrad/optim/around.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// g <- g min(1, max_norm / (|g| + 1e-6)), |g| the norm of all gradients together, or with `each` of each parameter's alone
// (Pascanu, Mikolov, Bengio 2013, as PyTorch's clip_grad_norm_). A shorter gradient keeps its bits. A norm that is not finite
// is an Error.
struct ClipNormRule {
  double max_norm = 1;
  double norm_type = 2;  // 1 or more, or infinity
  bool each = false;

  static constexpr const char* name = "ClipNorm";
  static constexpr const char* shared[] = {"norm"};  // before clipping; with `each` the greatest
  static constexpr bool of_rows = true, saved = false;
  void check(const Require& require) const;
  void before(std::vector<Gradient>& all, Tensors& shared, Size t, Source source = Source::here()) const;
};
using ClipNorm = Around<ClipNormRule>;

// Each number to -clip_value .. clip_value.
struct ClipValueRule {
  double clip_value = 1;

  static constexpr const char* name = "ClipValue";
  static constexpr bool of_rows = true;
  void check(const Require& require) const;
  void before(std::vector<Gradient>& all, Tensors& shared, Size t) const;
};
using ClipValue = Around<ClipValueRule>;

// Adaptive (AGC; Brock et al. 2021). For each output, a row of all axes but the first, or a vector as a whole:
//   most = clipping max(|p|, eps);   |g| > most:  g <- g most / max(|g|, 1e-6)
// The paper leaves the last layer out: give that to another optimizer.
struct ClipAdaptiveRule {
  double clipping = 0.01;
  double eps = 1e-3;

  static constexpr const char* name = "ClipAdaptive";
  void check(const Require& require) const;
  void before(std::vector<Gradient>& all, Tensors& shared, Size t) const;
};
using ClipAdaptive = Around<ClipAdaptiveRule>;

// g <- g - its mean over all axes but the first; vectors stay as they are   (Yong et al. 2020)
struct CentralizeRule {
  static constexpr const char* name = "Centralize";
  static constexpr bool of_rows = true;
  void before(std::vector<Gradient>& all, Tensors& shared, Size t) const;
};
using Centralize = Around<CentralizeRule>;

// g <- g + n, n normal of mean 0 and variance eta / t^gamma   (Neelakantan et al. 2015: eta of 0.01, 0.3 or 1)
// Numbers are of (seed, t, the parameter's place), so that a run that goes on from a file goes on with the same.
struct GradientNoiseRule {
  double eta = 0.01, gamma = 0.55;
  std::uint64_t seed = 0;

  static constexpr const char* name = "GradientNoise";
  static constexpr bool saved = true;  // the count of steps
  static constexpr bool sees_all = true;
  void check(const Require& require) const;
  void before(std::vector<Gradient>& all, Tensors& shared, Size t) const;
};
using GradientNoise = Around<GradientNoiseRule>;

// The mean gradient of `steps` calls of step() is one step: the calls before the last add up, and change no weights. So a batch
// may come in parts, each with zero_grad(), backward() and step().
struct AccumulateRule {
  Size steps = 0;    // to be given
  bool mean = true;  // false: the sum

  static constexpr const char* name = "Accumulate";
  static constexpr const char* slots[] = {"sum", "parts"};
  static constexpr const char* shared[] = {"calls"};
  static constexpr bool sees_all = true;
  void check(const Require& require) const;
  Tensor first(std::size_t slot, const Tensor& p) const;
  Verdict before(std::vector<Gradient>& all, Tensors& shared, Size t) const;
};
using Accumulate = Around<AccumulateRule>;

// A gradient with a NaN or an infinity is an Error that names the parameter; with `skip` the step is left out, and an
// Error only after more than `most` in a row. Either way nothing has changed.
struct RequireFiniteRule {
  bool skip = false;
  Size most = 0;  // 0: any number

  static constexpr const char* name = "RequireFinite";
  static constexpr bool refuses_nonfinite = true;
  static constexpr const char* shared[] = {"skipped in a row", "skipped"};
  static constexpr bool of_rows = true, saved = false;
  void check(const Require& require) const;
  Verdict before(std::vector<Gradient>& all, Tensors& shared, Size t, Source source = Source::here()) const;
};
using RequireFinite = Around<RequireFiniteRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
