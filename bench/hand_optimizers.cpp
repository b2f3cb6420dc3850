// By hand: the formula of each optimizer of optimizers.def as a loop over plain floats, with all that a step computes from its
// count outside of it. What is written here knows nothing of xgrad.
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <utility>

#include "bench/worker.hpp"

namespace bench {
namespace {

using Floats = std::vector<float>;

#define INLINE __attribute__((always_inline))  // into its loop, which is a vector's then
INLINE inline float sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f; }
INLINE inline float square(float x) { return x * x; }
INLINE inline void mean(float& m, float beta, float x) { m = beta * m + (1 - beta) * x; }  // a running one
float f(double x) { return static_cast<float>(x); }

template <class Formula, std::size_t... k>
void run(Formula formula, float* __restrict p, const float* __restrict g, const std::array<float*, sizeof...(k)>& s,
         std::size_t n, std::index_sequence<k...>) {
  const auto loop = [=](auto* __restrict... slot) INLINE {
#pragma GCC ivdep
    for (std::size_t i = 0; i < n; ++i) {
      float w = p[i];
      [&](auto... x) INLINE {  // in registers: stores might change what is in memory
        formula(w, g[i], x...);
        (void(slot[i] = x), ...);
      }(slot[i]...);
      p[i] = w;
    }
  };
  loop(s[k]...);
}

// formula_at(t) gives the formula of step t; first(slot, p) what a slot begins at.
template <std::size_t slots, class FormulaAt, class First>
Work step(const std::string& name, const FormulaAt& formula_at, const First& first) {
  return {"step." + name, [=] {
            struct State {
              Floats p = uniform(million, -1, 1, 0), g = uniform(million, -1, 1, 1000);
              std::array<Floats, slots> s;
              int t = 0;
            };
            auto state = std::make_shared<State>();
            for (std::size_t k = 0; k < slots; ++k)
              for (const float p : state->p) state->s[k].push_back(first(k, p));
            return Running{[=] {
                             const auto formula = formula_at(static_cast<double>(++state->t));
                             constexpr std::size_t block = 16384;
#pragma omp parallel for schedule(static)
                             for (std::size_t i = 0; i < million; i += block) {
                               std::array<float*, slots> s;
                               for (std::size_t k = 0; k < slots; ++k) s[k] = state->s[k].data() + i;
                               run(formula, state->p.data() + i, state->g.data() + i, s, block,
                                   std::make_index_sequence<slots>());
                             }
                           },
                           [=] { return sample(state->p.data(), million); }};
          }};
}
template <std::size_t slots, class FormulaAt>
Work step(const std::string& name, const FormulaAt& formula_at) {
  return step<slots>(name, formula_at, [](std::size_t, float) { return 0.0f; });
}

// Of beta1 = 0.9 and beta2 = 0.999: rate / (1 - beta1^t), sqrt(1 - beta2^t)
struct Corrected {
  float rate, root;
  Corrected(double lr, double t)
      : rate(f(lr / (1 - std::pow(0.9, t)))), root(f(1 / std::sqrt(1 - std::pow(0.999, t)))) {}
};
INLINE inline void means(float& m, float& v, float g) { mean(m, 0.9f, g), mean(v, 0.999f, g * g); }

struct Rectified {
  double rho, r = 1;
  explicit Rectified(double t) {
    const double beta = std::pow(0.999, t), most = 2 / (1 - 0.999) - 1;
    rho = most - 2 * t * beta / (1 - beta);
    if (rho > 4) r = std::sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho));
  }
};

// y, z of Schedule-Free at a constant rate: c = 1 / t
INLINE inline void descend(float& p, float& z, float u, float c, float rate) {
  p = (1 - c) * p + c * z - rate * (1 - 0.9f * (1 - c)) * u;
  z -= rate * u;
}

void gradients(std::vector<Work>& works) {
  works.push_back(step<1>("SGD", [](double t) {
    return [keep = t > 1 ? 0.9f : 0.0f](float& p, float g, float& b) { b = keep * b + g, p -= 1e-3f * b; };
  }));
  works.push_back(step<1>("ASGD", [](double t) {
    const float eta = f(1e-2 / std::pow(1 + 1e-4 * 1e-2 * (t - 1), 0.75));
    return [=](float& p, float g, float& a) { a = p = (1 - 1e-4f * eta) * p - eta * g; };
  }));
  works.push_back(step<1>("QHM", [](double) {
    return [](float& p, float g, float& m) { mean(m, 0.999f, g), p -= 1e-3f * (0.7f * m + 0.3f * g); };
  }));
  works.push_back(step<3>("AggMo", [](double) {
    return [](float& p, float g, float& a, float& b, float& c) {
      a = g, b = 0.9f * b + g, c = 0.99f * c + g;
      p -= 1e-3f / 3 * (a + b + c);
    };
  }));
  works.push_back(step<1>("OptimisticSGD", [](double t) {
    return
        [first = t == 1](float& p, float g, float& before) { p -= 1e-3f * (2 * g - (first ? g : before)), before = g; };
  }));
  works.push_back(step<1>(
      "Signum", [](double) { return [](float& p, float g, float& m) { mean(m, 0.9f, g), p -= 1e-3f * sign(m); }; }));
  works.push_back(step<1>("Lion", [](double) {
    return [](float& p, float g, float& m) { p -= 1e-4f * sign(0.9f * m + 0.1f * g), mean(m, 0.99f, g); };
  }));
  works.push_back(step<1>("Tiger", [](double) {
    return [](float& p, float g, float& m) { mean(m, 0.965f, g), p -= 1e-3f * (sign(m) + 0.01f * p); };
  }));
  works.push_back(step<2>(
      "Rprop",
      [](double) {
        return [](float& p, float g, float& before, float& s) {
          const float turn = g * before, grown = turn > 0 ? 1.2f * s : turn < 0 ? 0.5f * s : s;
          s = std::min(std::max(grown, 1e-6f), 50.0f);
          before = turn < 0 ? 0.0f : g;
          p -= s * sign(before);
        };
      },
      [](std::size_t k, float) { return k == 0 ? 0.0f : 1e-2f; }));
  works.push_back(step<2>(
      "DeltaBarDelta",
      [](double) {
        return [](float& p, float g, float& s, float& a) {
          const float turn = g * a;
          s = std::max(turn > 0 ? s + 1e-3f : turn < 0 ? 0.8f * s : s, 1e-8f);
          p -= s * g;
          mean(a, 0.5f, g);
        };
      },
      [](std::size_t k, float) { return k == 0 ? 1e-2f : 0.0f; }));
}

void squares(std::vector<Work>& works) {
  works.push_back(step<1>("Adagrad", [](double) {
    return [](float& p, float g, float& s) { s += g * g, p -= 1e-2f * g / (std::sqrt(s) + 1e-10f); };
  }));
  works.push_back(step<1>("RMSprop", [](double) {
    return [](float& p, float g, float& v) { mean(v, 0.99f, g * g), p -= 1e-2f * g / (std::sqrt(v) + 1e-8f); };
  }));
  works.push_back(step<2>("Adadelta", [](double) {
    return [](float& p, float g, float& v, float& u) {
      mean(v, 0.9f, g * g);
      const float d = g * std::sqrt((u + 1e-6f) / (v + 1e-6f));
      mean(u, 0.9f, d * d);
      p -= d;
    };
  }));
  works.push_back(step<3>(
      "SMORMS3",
      [](double) {
        return [](float& p, float g, float& k, float& m, float& v) {
          const float r = 1 / (k + 1);
          m += r * (g - m), v += r * (g * g - v);
          const float x = m * m / (v + 1e-16f);
          p -= std::min(x, 1e-3f) * g / (std::sqrt(v) + 1e-16f);
          k = 1 + k * (1 - x);
        };
      },
      [](std::size_t k, float) { return k == 0 ? 1.0f : 0.0f; }));
  works.push_back(step<2>("FTRL", [](double) {
    return [](float& p, float g, float& n, float& z) {
      const float more = n + g * g, root = std::sqrt(more);
      z += g - (root - std::sqrt(n)) * 1e3f * p;
      n = more;
      p = std::abs(z) <= 0.01f ? 0.0f : (sign(z) * 0.01f - z) / ((1 + root) * 1e3f);
    };
  }));
  works.push_back(step<3>(
      "MADGRAD",
      [](double t) {
        return [l = f((1e-2 + 1e-6) * std::sqrt(t))](float& p, float g, float& s, float& v, float& x) {
          s += l * g, v += l * g * g;
          p = 0.9f * p + 0.1f * (x - s / (std::cbrt(v) + 1e-6f));
        };
      },
      [](std::size_t k, float p) { return k == 2 ? p : 0.0f; }));
  works.push_back(step<5>(
      "COCOB",
      [](double) {
        return [](float& p, float g, float& x, float& L, float& G, float& R, float& s) {
          L = std::max(L, std::abs(g)), G += std::abs(g), R = std::max(R - g * (p - x), 0.0f), s -= g;
          p = x + s / (L * std::max(G + L, 100 * L)) * (L + R);
        };
      },
      [](std::size_t k, float p) { return k == 0   ? p
                                          : k == 1 ? 1e-8f
                                                   : 0.0f; }));
}

void adams(std::vector<Work>& works) {
  works.push_back(step<2>("AdamW", [](double t) {
    return [c = Corrected(1e-3, t)](float& p, float g, float& m, float& v) {
      means(m, v, g), p = (1 - 1e-5f) * p - c.rate * m / (std::sqrt(v) * c.root + 1e-8f);
    };
  }));
  works.push_back(step<2>("Adamax", [](double t) {
    return [c = Corrected(2e-3, t)](float& p, float g, float& m, float& u) {
      mean(m, 0.9f, g), u = std::max(0.999f * u, std::abs(g) + 1e-8f), p -= c.rate * m / u;
    };
  }));
  works.push_back(step<2>("NAdam", [](double t) {
    const auto mu = [](double s) { return 0.9 * (1 - 0.5 * std::pow(0.96, s * 4e-3)); };
    double product = 1;
    for (double s = 1; s <= t; ++s) product *= mu(s);
    const float of_g = f(2e-3 * (1 - mu(t)) / (1 - product)), of_m = f(2e-3 * mu(t + 1) / (1 - product * mu(t + 1)));
    return [=, c = Corrected(0, t)](float& p, float g, float& m, float& v) {
      means(m, v, g), p -= (of_g * g + of_m * m) / (std::sqrt(v) * c.root + 1e-8f);
    };
  }));
  works.push_back(step<2>("RAdam", [](double t) {
    const Rectified r(t);
    const Corrected c(1e-3, t);
    return [=, whole = r.rho > 5, rate = f(c.rate * r.r / c.root)](float& p, float g, float& m, float& v) {
      means(m, v, g), p -= whole ? rate * m / (std::sqrt(v) + 1e-8f) : c.rate * m;
    };
  }));
  works.push_back(step<4>("Adan", [](double t) {
    const float of_m = f(1e-3 / (1 - std::pow(0.98, t))), of_d = f(1e-3 * 0.92 / (1 - std::pow(0.92, t))),
                of_n = f(1 / std::sqrt(1 - std::pow(0.99, t)));
    return [=, first = t == 1](float& p, float g, float& m, float& v, float& n, float& before) {
      const float d = first ? 0 : g - before;
      mean(m, 0.98f, g), mean(v, 0.92f, d), mean(n, 0.99f, square(g + 0.92f * d));
      p -= (of_m * m + of_d * v) / (std::sqrt(n) * of_n + 1e-8f);
      before = g;
    };
  }));
  works.push_back(step<2>("AdaBelief", [](double t) {
    return [c = Corrected(1e-3, t)](float& p, float g, float& m, float& s) {
      mean(m, 0.9f, g), s = 0.999f * s + 0.001f * square(g - m) + 1e-16f,
                        p -= c.rate * m / (std::sqrt(s) * c.root + 1e-16f);
    };
  }));
  works.push_back(step<2>(
      "Yogi",
      [](double t) {
        return [c = Corrected(1e-2, t)](float& p, float g, float& m, float& v) {
          mean(m, 0.9f, g), v -= 0.001f * sign(v - g * g) * g * g, p -= c.rate * m / (std::sqrt(v) * c.root + 1e-3f);
        };
      },
      [](std::size_t, float) { return 1e-6f; }));
  works.push_back(step<2>("ADOPT", [](double t) {
    return [first = t == 1, most = f(std::pow(t - 1, 0.25))](float& p, float g, float& m, float& v) {
      const float u = std::min(std::max(g / std::max(std::sqrt(v), 1e-6f), -most), most);
      m = first ? 0 : 0.9f * m + 0.1f * u;
      p -= 1e-3f * m;
      v = first ? g * g : 0.9999f * v + 0.0001f * g * g;
    };
  }));
  works.push_back(step<3>("AdEMAMix", [](double t) {
    return [c = Corrected(1, t)](float& p, float g, float& fast, float& slow, float& v) {
      means(fast, v, g), mean(slow, 0.9999f, g),
          p -= 1e-3f * (c.rate * fast + 2 * slow) / (std::sqrt(v) * c.root + 1e-8f);
    };
  }));
  works.push_back(step<2>("SimplifiedAdEMAMix", [](double t) {
    return [root = f(1 / std::sqrt(1 - std::pow(0.95, t)))](float& p, float g, float& m, float& v) {
      m = 0.99f * m + g, mean(v, 0.95f, g * g), p -= 1e-5f * m / (std::sqrt(v) * root + 1e-8f);
    };
  }));
  works.push_back(step<1>(
      "ScheduleFreeSGD",
      [](double t) { return [c = f(1 / t)](float& p, float g, float& z) { descend(p, z, g, c, 0.1f); }; },
      [](std::size_t, float p) { return p; }));
  works.push_back(step<2>(
      "ScheduleFreeAdamW",
      [](double t) {
        return [c = f(1 / t), of = Corrected(0, t)](float& p, float g, float& z, float& v) {
          mean(v, 0.999f, g * g), descend(p, z, g / (std::sqrt(v) * of.root + 1e-8f), c, 2.5e-3f);
        };
      },
      [](std::size_t k, float p) { return k == 0 ? p : 0.0f; }));
  works.push_back(step<2>(
      "ScheduleFreeRAdam",
      [](double t) {
        double sum = 0, most = 0, share = 0;  // a step counts for the square of the greatest rate so far
        for (double s = 1; s <= t; ++s) {
          const Rectified r(s);
          most = std::max(most, r.rho > 4 ? 2.5e-3 * r.r : 0);
          sum += most * most;
          share = sum > 0 ? most * most / sum : 0;
        }
        const Rectified r(t);
        return [of = Corrected(0, t), c = f(share), whole = r.rho > 4, rate = f(r.rho > 4 ? 2.5e-3 * r.r : 0)](
                   float& p, float g, float& z, float& v) {
          mean(v, 0.999f, g * g), descend(p, z, whole ? g / (std::sqrt(v) * of.root + 1e-8f) : g, c, rate);
        };
      },
      [](std::size_t k, float p) { return k == 0 ? p : 0.0f; }));
  works.push_back(step<3>("FTML", [](double t) {
    return [c = Corrected(1, t)](float& p, float g, float& v, float& d, float& z) {
      mean(v, 0.999f, g * g);
      const float before = d;
      d = 1e3f / c.rate * (std::sqrt(v) * c.root + 1e-8f);
      z = 0.9f * z + 0.1f * g - (d - 0.9f * before) * p;
      p = -z / d;
    };
  }));
  works.push_back(step<2>("QHAdam", [](double t) {
    return [c = Corrected(1, t)](float& p, float g, float& m, float& v) {
      means(m, v, g),
          p -= 1e-3f * (0.3f * g + 0.7f * c.rate * m) / (std::sqrt(0.1f * g * g + 0.9f * c.root * c.root * v) + 1e-8f);
    };
  }));
  works.push_back(step<2>("AdaBound", [](double t) {
    const float least = f(0.1 * (1 - 1 / (1e-3 * t + 1))), most = f(0.1 * (1 + 1 / (1e-3 * t)));
    return [=, c = Corrected(1e-3, t)](float& p, float g, float& m, float& v) {
      means(m, v, g), p -= std::min(std::max(c.rate / c.root / (std::sqrt(v) + 1e-8f), least), most) * m;
    };
  }));
  works.push_back(step<3>("Padam", [](double t) {
    return [c = Corrected(0.1, t)](float& p, float g, float& m, float& v, float& most) {
      means(m, v, g), most = std::max(most, v), p -= c.rate / c.root * m / std::sqrt(std::sqrt(most) + 1e-8f);
    };
  }));
  works.push_back(step<2>("LaProp", [](double t) {
    return [c = Corrected(1, t)](float& p, float g, float& m, float& v) {
      mean(v, 0.999f, g * g), mean(m, 0.9f, 4e-4f * g / (std::sqrt(v) * c.root + 1e-15f)), p -= c.rate * m;
    };
  }));
  works.push_back(step<2>("Grams", [](double t) {
    return [c = Corrected(1e-3, t)](float& p, float g, float& m, float& v) {
      means(m, v, g), p -= c.rate * std::abs(m) / (std::sqrt(v) * c.root + 1e-8f) * sign(g);
    };
  }));
  works.push_back(step<3>("OptimisticAdam", [](double t) {
    return [first = t == 1, c = Corrected(1, t)](float& p, float g, float& m, float& v, float& before) {
      means(m, v, g);
      const float u = c.rate * m / (std::sqrt(v) * c.root + 1e-8f);
      p -= 1e-3f * (2 * u - (first ? u : before));
      before = u;
    };
  }));
}

}  // namespace

void add_optimizers(std::vector<Work>& works) {
  gradients(works);
  squares(works);
  adams(works);
}

}  // namespace bench
