// By hand: an optimizer, a Hessian, rows of a table, inference.
#include <algorithm>
#include <cmath>
#include <memory>

#include "bench/worker.hpp"

namespace bench {
namespace {

using Floats = std::vector<float>;

void step(float* __restrict p, float* __restrict m, const float* __restrict g, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const float d = 0.9f * m[i] + 0.1f * g[i];
    m[i] = 0.99f * m[i] + 0.01f * g[i];
    p[i] -= static_cast<float>(lion_rate) * (d > 0 ? 1.0f : d < 0 ? -1.0f : 0.0f);
  }
}

Work lion(const std::string& name, int count, std::size_t n) {
  return {name, [=] {
            struct State {
              std::vector<Floats> p, g, m;
            };
            auto s = std::make_shared<State>();
            for (int i = 0; i < count; ++i) {
              s->p.push_back(uniform(n, -1, 1, i));
              s->g.push_back(uniform(n, -1, 1, 1000 + i));
              s->m.push_back(Floats(n));
            }
            return Running{[=] {
                             constexpr std::size_t block = 16384;
                             for (int k = 0; k < count; ++k) {
                               float *p = s->p[k].data(), *m = s->m[k].data();
                               const float* g = s->g[k].data();
                               if (n <= block) {
                                 step(p, m, g, n);
                                 continue;
                               }
#pragma omp parallel for schedule(static)
                               for (std::size_t i = 0; i < n; i += block)
                                 step(p + i, m + i, g + i, std::min(block, n - i));
                             }
                           },
                           [=] { return sample(s->p.back().data(), n); }};
          }};
}

// X^T diag(exp(X w)) X
Work poisson(const std::string& name) {
  return {
      name, [] {
        const Poisson p;
        struct State {
          Floats x, w, h;
        };
        auto s = std::make_shared<State>(State{p.x(), p.w(), Floats(static_cast<std::size_t>(p.columns * p.columns))});
        return Running{[=] {
                         const std::int64_t n = p.columns;
                         std::fill(s->h.begin(), s->h.end(), 0.0f);
                         for (std::int64_t r = 0; r < p.rows; ++r) {
                           const float* x = s->x.data() + r * n;
                           float eta = 0;
                           for (std::int64_t i = 0; i < n; ++i) eta += x[i] * s->w[static_cast<std::size_t>(i)];
                           const float e = std::exp(eta);
                           for (std::int64_t i = 0; i < n; ++i) {
                             const float f = e * x[i];
                             float* h = s->h.data() + i * n;
                             for (std::int64_t k = 0; k < n; ++k) h[k] += f * x[k];
                           }
                         }
                       },
                       [=] { return sample(s->h.data(), s->h.size()); }};
      }};
}

Work rows(const std::string& name) {
  return {name, [] {
            struct State {
              Floats p = Table::numbers(), m = Floats(p.size()), v = Floats(p.size());
              std::vector<std::int64_t> index = Table::picked();
              int t = 0;
            };
            auto s = std::make_shared<State>();
            return Running{[=] {
                             const double t = ++s->t;
                             const auto rate = static_cast<float>(adam_rate * std::sqrt(1 - std::pow(0.999, t)) /
                                                                  (1 - std::pow(0.9, t)));
                             for (const std::int64_t row : s->index)
                               for (std::int64_t i = row * Table::width; i < (row + 1) * Table::width; ++i) {
                                 float &p = s->p[i], &m = s->m[i], &v = s->v[i];
                                 m += 0.1f * (p - m);
                                 v += 0.001f * (p * p - v);
                                 p -= rate * m / (std::sqrt(v) + 1e-8f);
                               }
                           },
                           [=] { return sample(s->p.data(), s->p.size()); }};
          }};
}

// y = W x + b, four rows at a time, so that x is read once for them.
void dense(float* y, const Floats& w, const Floats& b, const float* x, std::size_t out, std::size_t in, bool relu) {
  for (std::size_t r = 0; r < out; r += 4) {
    const std::size_t rows = std::min<std::size_t>(4, out - r);
    float sums[4] = {};
    if (rows == 4) {
      const float *w0 = w.data() + r * in, *w1 = w0 + in, *w2 = w1 + in, *w3 = w2 + in;
      float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
      for (std::size_t i = 0; i < in; ++i) {
        s0 += w0[i] * x[i];
        s1 += w1[i] * x[i];
        s2 += w2[i] * x[i];
        s3 += w3[i] * x[i];
      }
      sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
    } else {
      for (std::size_t k = 0; k < rows; ++k)
        for (std::size_t i = 0; i < in; ++i) sums[k] += w[(r + k) * in + i] * x[i];
    }
    for (std::size_t k = 0; k < rows; ++k) y[r + k] = relu ? std::max(sums[k] + b[r + k], 0.0f) : sums[k] + b[r + k];
  }
}

Work inference() {
  return {"inference.784-128-10", [] {
            const Network& n = mnist_network;
            struct State {
              Floats w1, b1, w2, b2, x, h, y;
            };
            auto s = std::make_shared<State>(
                State{n.weight1(), n.bias1(), n.weight2(), n.bias2(), uniform(static_cast<std::size_t>(n.in), -1, 1, 5),
                      Floats(static_cast<std::size_t>(n.hidden)), Floats(static_cast<std::size_t>(n.out))});
            return Running{[=] {
                             for (int i = 0; i < inferences; ++i) {
                               dense(s->h.data(), s->w1, s->b1, s->x.data(), s->h.size(), s->x.size(), true);
                               dense(s->y.data(), s->w2, s->b2, s->h.data(), s->y.size(), s->h.size(), false);
                             }
                           },
                           [=] { return sample(s->y.data(), s->y.size()); }};
          }};
}

}  // namespace

void add_own(std::vector<Work>& works) {
  works.push_back(lion("lion.2^20", 1, million));
  works.push_back(lion("lion.200x64", 200, 64));
  works.push_back(poisson("hessian.400x91"));
  works.push_back(rows("rows.256"));
  works.push_back(inference());
}

}  // namespace bench
