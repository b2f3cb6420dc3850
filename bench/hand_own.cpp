// By hand: an optimizer, a Hessian, rows of a table.
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

}  // namespace

void add_own(std::vector<Work>& works) {
  works.push_back(lion("lion.2^20", 1, million));
  works.push_back(lion("lion.200x64", 200, 64));
  works.push_back(poisson("hessian.400x91"));
  works.push_back(rows("rows.256"));
}

}  // namespace bench
