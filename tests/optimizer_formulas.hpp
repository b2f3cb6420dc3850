// Optimizers' formulas as the papers have them: loops over doubles, of one parameter, with nothing of the library but the
// structs of options.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <xgrad/optim.hpp>

namespace formulas {

using xgrad::Size;
using Numbers = std::vector<double>;

struct Variable {
  std::vector<Size> shape;
  Numbers p;
  std::map<std::string, Numbers> state;

  Numbers& slot(const char* name, double first = 0, Size n = -1) {
    return state.try_emplace(name, n < 0 ? p.size() : static_cast<std::size_t>(n), first).first->second;
  }
};

inline double length(const Numbers& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum);
}

// Each takes a step: the t-th from 1, at rate lr, with gradient g.
inline void step(const xgrad::optim::SGDRule& o, Variable& x, Numbers g, double lr, Size t) {
  Numbers& b = x.slot("b");
  for (std::size_t i = 0; i < g.size(); ++i) {
    if (o.maximize) g[i] *= -1;
    g[i] += o.weight_decay * x.p[i];
    if (o.momentum > 0) {
      b[i] = t == 1 ? g[i] : o.momentum * b[i] + (1 - o.dampening) * g[i];
      g[i] = o.nesterov ? g[i] + o.momentum * b[i] : b[i];
    }
    x.p[i] -= lr * g[i];
  }
}

template <class Options>
void adam(const Options& o, Variable& x, const Numbers& g, double lr, Size t, bool joins_gradient) {
  Numbers &m = x.slot("m"), &v = x.slot("v"), &most = x.slot("most");
  const double T = static_cast<double>(t);
  for (std::size_t i = 0; i < g.size(); ++i) {
    double gi = o.maximize ? -g[i] : g[i];
    if (joins_gradient) gi += o.weight_decay * x.p[i];
    else x.p[i] -= lr * o.weight_decay * x.p[i];
    m[i] = o.beta1 * m[i] + (1 - o.beta1) * gi;
    v[i] = o.beta2 * v[i] + (1 - o.beta2) * gi * gi;
    most[i] = std::max(most[i], v[i]);
    const double corrected = (o.amsgrad ? most[i] : v[i]) / (1 - std::pow(o.beta2, T));
    x.p[i] -= lr * m[i] / (1 - std::pow(o.beta1, T)) / (std::sqrt(corrected) + o.eps);
  }
}
inline void step(const xgrad::optim::AdamRule& o, Variable& x, const Numbers& g, double lr, Size t) { adam(o, x, g, lr, t, true); }
inline void step(const xgrad::optim::AdamWRule& o, Variable& x, const Numbers& g, double lr, Size t) { adam(o, x, g, lr, t, false); }

inline void step(const xgrad::optim::RMSpropRule& o, Variable& x, const Numbers& g, double lr, Size) {
  Numbers &v = x.slot("v"), &a = x.slot("a"), &b = x.slot("b");
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double gi = (o.maximize ? -g[i] : g[i]) + o.weight_decay * x.p[i];
    v[i] = o.alpha * v[i] + (1 - o.alpha) * gi * gi;
    a[i] = o.alpha * a[i] + (1 - o.alpha) * gi;
    const double spread = o.centered ? std::max(v[i] - a[i] * a[i], 0.0) : v[i];
    b[i] = o.momentum * b[i] + gi / (std::sqrt(spread) + o.eps);
    x.p[i] -= lr * b[i];
  }
}

inline void step(const xgrad::optim::AdagradRule& o, Variable& x, const Numbers& g, double lr, Size t) {
  Numbers& s = x.slot("s", o.initial_accumulator_value);
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double gi = (o.maximize ? -g[i] : g[i]) + o.weight_decay * x.p[i];
    s[i] += gi * gi;
    x.p[i] -= lr / (1 + (static_cast<double>(t) - 1) * o.lr_decay) * gi / (std::sqrt(s[i]) + o.eps);
  }
}

inline void step(const xgrad::optim::AdanRule& o, Variable& x, const Numbers& g, double lr, Size t) {
  Numbers &m = x.slot("m"), &v = x.slot("v"), &n = x.slot("n"), &before = x.slot("g");
  const double T = static_cast<double>(t);
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double d = t == 1 ? 0 : g[i] - before[i], look = g[i] + o.beta2 * d;
    m[i] += (1 - o.beta1) * (g[i] - m[i]);
    v[i] += (1 - o.beta2) * (d - v[i]);
    n[i] += (1 - o.beta3) * (look * look - n[i]);
    const double m_hat = m[i] / (1 - std::pow(o.beta1, T)), v_hat = v[i] / (1 - std::pow(o.beta2, T)),
                 n_hat = n[i] / (1 - std::pow(o.beta3, T));
    if (o.no_prox) x.p[i] *= 1 - lr * o.weight_decay;
    x.p[i] -= lr * (m_hat + o.beta2 * v_hat) / (std::sqrt(n_hat) + o.eps);
    if (!o.no_prox) x.p[i] /= 1 + lr * o.weight_decay;
    before[i] = g[i];
  }
}

inline void step(const xgrad::optim::LAMBRule& o, Variable& x, const Numbers& g, double lr, Size t) {
  Numbers &m = x.slot("m"), &v = x.slot("v"), r = g;
  const double T = static_cast<double>(t);
  for (std::size_t i = 0; i < g.size(); ++i) {
    m[i] += (1 - o.beta1) * (g[i] - m[i]);
    v[i] += (1 - o.beta2) * (g[i] * g[i] - v[i]);
    r[i] = m[i] / (1 - std::pow(o.beta1, T)) / (std::sqrt(v[i] / (1 - std::pow(o.beta2, T))) + o.eps) + o.weight_decay * x.p[i];
  }
  const double of_p = length(x.p), of_r = length(r), ratio = of_p > 0 && of_r > 0 ? of_p / of_r : 1;
  for (std::size_t i = 0; i < g.size(); ++i) x.p[i] -= lr * ratio * r[i];
}

// c = a b of row-major matrices: (n, k) and (k, m)
inline Numbers product(const Numbers& a, const Numbers& b, Size n, Size k, Size m) {
  Numbers c(static_cast<std::size_t>(n * m));
  for (Size i = 0; i < n; ++i)
    for (Size j = 0; j < m; ++j)
      for (Size l = 0; l < k; ++l)
        c[static_cast<std::size_t>(i * m + j)] += a[static_cast<std::size_t>(i * k + l)] * b[static_cast<std::size_t>(l * m + j)];
  return c;
}
inline void step(const xgrad::optim::MuonRule& o, Variable& x, const Numbers& g, double lr, Size) {
  Numbers &b = x.slot("b"), u = g;
  const Size rows = x.shape[0], columns = x.shape[1];
  for (std::size_t i = 0; i < g.size(); ++i) {
    b[i] = o.momentum * b[i] + (1 - o.momentum) * g[i];
    u[i] = o.nesterov ? (1 - o.momentum) * g[i] + o.momentum * b[i] : b[i];
  }
  const double size = std::max(length(u), o.eps);
  for (double& v : u) v /= size;
  for (int k = 0; k < o.steps; ++k) {  // (U^T U, on the right: as one would write it without a thought of its cost)
    Numbers turned(u.size());
    for (Size i = 0; i < rows; ++i)
      for (Size j = 0; j < columns; ++j)
        turned[static_cast<std::size_t>(j * rows + i)] = u[static_cast<std::size_t>(i * columns + j)];
    const Numbers a = product(turned, u, columns, rows, columns), aa = product(a, a, columns, columns, columns);
    const Numbers ua = product(u, a, rows, columns, columns), uaa = product(u, aa, rows, columns, columns);
    for (std::size_t i = 0; i < u.size(); ++i) u[i] = o.a * u[i] + o.b * ua[i] + o.c * uaa[i];
  }
  const double r = static_cast<double>(rows), c = static_cast<double>(columns);
  const double scale = o.match_rms_adamw ? 0.2 * std::sqrt(std::max(r, c)) : std::sqrt(std::max(1.0, r / c));
  for (std::size_t i = 0; i < g.size(); ++i) x.p[i] = x.p[i] * (1 - lr * o.weight_decay) - lr * scale * u[i];
}

// `epsilon`: of the parameter's dtype
inline void step(const xgrad::optim::AdafactorRule& o, Variable& x, Numbers g, double lr, Size t, double epsilon) {
  if (g.empty()) return;
  const double eps1 = o.eps1 > 0 ? o.eps1 : epsilon, T = static_cast<double>(t), n = static_cast<double>(g.size());
  const double beta = 1 - std::pow(T, o.beta2_decay);
  if (o.maximize)
    for (double& v : g) v = -v;
  Numbers v_hat = g;
  if (x.shape.size() < 2) {
    Numbers& v = x.slot("v");
    for (std::size_t i = 0; i < g.size(); ++i) v_hat[i] = v[i] = beta * v[i] + (1 - beta) * g[i] * g[i];
  } else {
    const Size columns = x.shape.back(), rows = x.shape[x.shape.size() - 2], matrices = static_cast<Size>(g.size()) / (rows * columns);
    Numbers &R = x.slot("R", 0, matrices * rows), &C = x.slot("C", 0, matrices * columns);
    for (Size k = 0; k < matrices; ++k) {
      const auto at = [&](Size i, Size j) { return static_cast<std::size_t>((k * rows + i) * columns + j); };
      double* row = R.data() + k * rows;
      double* column = C.data() + k * columns;
      double total = 0;
      for (Size i = 0; i < rows; ++i) {
        double mean = 0;
        for (Size j = 0; j < columns; ++j) mean += g[at(i, j)] * g[at(i, j)] / static_cast<double>(columns);
        total += row[i] = beta * row[i] + (1 - beta) * mean;
      }
      for (Size j = 0; j < columns; ++j) {
        double mean = 0;
        for (Size i = 0; i < rows; ++i) mean += g[at(i, j)] * g[at(i, j)] / static_cast<double>(rows);
        column[j] = beta * column[j] + (1 - beta) * mean;
      }
      for (Size i = 0; i < rows; ++i)
        for (Size j = 0; j < columns; ++j)
          v_hat[at(i, j)] = row[i] * column[j] / std::max(total / static_cast<double>(rows), eps1);
    }
  }
  Numbers u = g;
  for (std::size_t i = 0; i < g.size(); ++i) u[i] = g[i] / std::sqrt(std::max(v_hat[i], eps1 * eps1));
  const double alpha = std::max(o.eps2, length(x.p) / std::sqrt(n)) * std::min(lr, 1 / std::sqrt(T));
  const double clip = std::max(1.0, length(u) / std::sqrt(n) / o.d);
  for (std::size_t i = 0; i < g.size(); ++i) x.p[i] = x.p[i] * (1 - lr * o.weight_decay) - alpha / clip * u[i];
}

}  // namespace formulas
