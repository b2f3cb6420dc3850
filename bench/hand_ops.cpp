// The hand's side: formulas and Adam as loops, value and gradient in one pass over memory.
#include <algorithm>
#include <cmath>
#include <memory>

#include "bench/worker.hpp"

namespace bench {
namespace {

using Floats = std::vector<float>;

// The sum over all blocks of what `pass` gives for one: it fills the gradients and sums the formula's values.
template <float (*pass)(const float* x, float* gradient, std::size_t n)>
float whole(const float* x, float* gradient, std::size_t n) {
  constexpr std::size_t block = 4096;
  if (n <= block) return pass(x, gradient, n);
  double total = 0;
#pragma omp parallel for reduction(+ : total) schedule(static)
  for (std::size_t at = 0; at < n; at += block) total += pass(x + at, gradient + at, std::min(block, n - at));
  return static_cast<float>(total);
}

float chain(const float* __restrict x, float* __restrict gradient, std::size_t n) {
  float total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    float y = x[i], g = 1, gx = 0;
    for (int k = 0; k < chain_length; ++k) y = 0.99f * y + x[i];
    for (int k = 0; k < chain_length; ++k) {
      gx += g;
      g *= 0.99f;
    }
    gradient[i] = gx + g;
    total += y;
  }
  return total;
}

float chain_product(const float* __restrict x, float* __restrict gradient, std::size_t n) {
  float total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    float y = x[i], dy = 1;  // one number in, one out: going forward gives the same derivative
    for (int k = 0; k < chain_length; ++k) {
      dy = dy * x[i] + y + 1;
      y = y * x[i] + x[i];
    }
    gradient[i] = dy;
    total += y;
  }
  return total;
}

inline float tanh_of_library(float u) { return std::tanh(u); }
inline float tanh_by_exp(float u) { return 1 - 2 / (std::exp(2 * u) + 1); }

// 0.5 x (1 + tanh u), u = c (x + a x^3); the gradient takes the same tanh
template <float (*tanh_of)(float)>
float gelu(const float* __restrict x, float* __restrict gradient, std::size_t n) {
  constexpr float c = 0.79788f, a = 0.044715f;
  float total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float s = x[i] * x[i], t = tanh_of(c * x[i] * (1 + a * s));
    gradient[i] = 0.5f * (1 + t) + 0.5f * x[i] * (1 - t * t) * c * (1 + 3 * a * s);
    total += 0.5f * x[i] * (1 + t);
  }
  return total;
}

struct AdamStep {
  float rate, root;
  explicit AdamStep(int t)
      : rate(static_cast<float>(adam_rate / (1 - std::pow(0.9, t)))),
        root(static_cast<float>(1 / std::sqrt(1 - std::pow(0.999, t)))) {}

  void operator()(float* __restrict p, float* __restrict m, float* __restrict v, const float* __restrict g,
                  std::size_t n) const {
    for (std::size_t i = 0; i < n; ++i) {
      m[i] = 0.9f * m[i] + 0.1f * g[i];
      v[i] = 0.999f * v[i] + 0.001f * g[i] * g[i];
      p[i] -= rate * m[i] / (std::sqrt(v[i]) * root + 1e-8f);
    }
  }
};

Work formula(const std::string& name, float (*pass)(const float*, float*, std::size_t), std::size_t n) {
  return {name, [=] {
            struct State {
              Floats x, gradient;
              float total;
            };
            auto s = std::make_shared<State>(State{uniform(n, -0.9, 0.9, 1), Floats(n), 0});
            return Running{[=] { s->total = pass(s->x.data(), s->gradient.data(), n); },
                           [=] {
                             std::vector<double> numbers = sample(s->gradient.data(), n);
                             numbers.push_back(s->total);
                             return numbers;
                           }};
          }};
}

Work adam(const std::string& name, int count, std::size_t n) {
  return {name, [=] {
            struct State {
              std::vector<Floats> p, g, m, v;
              int t = 0;
            };
            auto s = std::make_shared<State>();
            for (int i = 0; i < count; ++i) {
              s->p.push_back(uniform(n, -1, 1, i));
              s->g.push_back(uniform(n, -1, 1, 1000 + i));
              s->m.push_back(Floats(n));
              s->v.push_back(Floats(n));
            }
            return Running{[=] {
                             const AdamStep step(++s->t);
                             for (int k = 0; k < count; ++k) {
                               float *p = s->p[k].data(), *m = s->m[k].data(), *v = s->v[k].data();
                               const float* g = s->g[k].data();
                               constexpr std::size_t block = 16384;
                               if (n <= block) step(p, m, v, g, n);
                               else {
#pragma omp parallel for schedule(static)
                                 for (std::size_t i = 0; i < n; i += block)
                                   step(p + i, m + i, v + i, g + i, std::min(block, n - i));
                               }
                             }
                           },
                           [=] { return sample(s->p.back().data(), n); }};
          }};
}

}  // namespace

void add_ops(std::vector<Work>& works) {
  works.push_back(formula("chain.4096", whole<chain>, 4096));
  works.push_back(formula("chain.2^20", whole<chain>, million));
  works.push_back(formula("chain_product.2^20", whole<chain_product>, million));
  works.push_back(formula("gelu.2^20", whole<gelu<tanh_of_library>>, million));
  works.push_back(formula("gelu.2^20", whole<gelu<tanh_by_exp>>, million));
  works.push_back(adam("adam.2^20", 1, million));
  works.push_back(adam("adam.200x64", 200, 64));
}

}  // namespace bench
