// Rates that are the distance from the start over the root of the gradients' squares: DoG, LDoG, DoWG; and WNGrad. Leave
// lr at 1. The authors of DoG judge it by an average of its weights.
#pragma once

#include <xgrad/optim/descent.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// x the weights it began with, lengths over the whole group, G begins at eps; r begins at reps_rel (1 + |x|):
//   r <- max(r, |p - x|)       G <- G + |g|^2       p <- p - lr r / sqrt(G) g
// (Ivgi, Hinder & Carmon 2023), as the authors' program has it. reps_rel 1e-4 where there is batch normalisation.
struct DoGRule {
  double lr = 1;
  double reps_rel = 1e-6;
  double eps = 1e-8;
  bool maximize = false;

  static constexpr const char* name = "DoG";
  static constexpr const char* slots[] = {"x0"};
  static constexpr const char* shared[] = {"distance", "gradients"};

  Tensor first(std::size_t, const Tensor& p) const { return p; }
  Tensor first_shared(std::size_t slot) const;
  void check(const Require& require) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using DoG = Descent<DoGRule>;

// The same with an r and a G of each tensor.
struct LDoGRule {
  double lr = 1;
  double reps_rel = 1e-6;
  double eps = 1e-8;
  bool maximize = false;

  static constexpr const char* name = "LDoG";
  static constexpr const char* slots[] = {"x0", "distance", "gradients"};

  Tensor first(std::size_t slot, const Tensor& p) const;
  void check(const Require& require) const;
  void update(Tensor& p, const Tensor& g, Tensor& x, Tensor& r, Tensor& squares, const Step& step) const;
};
using LDoG = Descent<LDoGRule>;

// r begins at eps, lengths over the whole group:
//   r <- max(r, |p - x|^2)       v <- v + r |g|^2       p <- p - lr r / (sqrt(v) + eps) g
// (Khaled, Mishchenko & Jin 2023), as optax has it.
struct DoWGRule {
  double lr = 1;
  double eps = 1e-4;
  bool maximize = false;

  static constexpr const char* name = "DoWG";
  static constexpr const char* slots[] = {"x0"};
  static constexpr const char* shared[] = {"distance_sq", "gradients"};

  Tensor first(std::size_t, const Tensor& p) const { return p; }
  Tensor first_shared(std::size_t slot) const;
  void check(const Require& require) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using DoWG = Descent<DoWGRule>;

// b begins at 1, |g| over the whole group:  b <- b + lr^2 |g|^2 / b       p <- p - lr / b g
// (Wu, Ward & Bottou 2018).
struct WNGradRule {
  double lr = 1;
  bool maximize = false;

  static constexpr const char* name = "WNGrad";
  static constexpr const char* shared[] = {"b"};

  Tensor first_shared(std::size_t slot) const;
  void update_all(std::vector<Member>& all, Tensors& shared, const Step& step) const;
};
using WNGrad = Descent<WNGradRule>;

}  // namespace xgrad::optim

#pragma GCC visibility pop
