#include <xgrad/optim/methods/lbfgsb.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/optim/methods/searches.hpp>

#include "optim/methods/first_step.hpp"
#include "optim/methods/triangular.hpp"
#include "optim/methods/vectors.hpp"

namespace xgrad::optim {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
using Vector = std::vector<double>;
using State = LBFGSBRule::State;
std::size_t at(Size i) { return static_cast<std::size_t>(i); }

double dot(const Vector& x, const Vector& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}
void add(Vector& x, double a, const Vector& y) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += a * y[i];
}

// [[-P, Q^T], [Q, E]]^-1 of a positive definite P, by its Schur complement: (E + Q P^-1 Q^T) b = q + Q P^-1 p,
// a = P^-1 (Q^T b - p). An inverse of the whole would lose the digits of pairs that differ by many powers of ten.
struct Middle {
  Size n = 0;
  Matrix p, q, schur;
  bool right = true;

  Middle(Matrix positive, Matrix below, Matrix end) : n(positive.rows), p(std::move(positive)), q(std::move(below)) {
    right = factorise(p) == n;
    schur = std::move(end);
    for (Size j = 0; right && j < n; ++j) {
      const Vector column = solve_factorised(p, Vector(q[j], q[j] + n));  // P^-1 (row j of Q)
      for (Size i = 0; i < n; ++i)
        for (Size k = 0; k < n; ++k) schur[i][j] += q[i][k] * column[at(k)];
    }
    right = right && factorise(schur) == n;
  }
  Vector operator()(const Vector& v) const {
    const Vector first = solve_factorised(p, Vector(v.begin(), v.begin() + n));
    Vector b(v.begin() + n, v.end());
    for (Size i = 0; i < n; ++i)
      for (Size k = 0; k < n; ++k) b[at(i)] += q[i][k] * first[at(k)];
    b = solve_factorised(schur, std::move(b));
    Vector a(at(n));
    for (Size k = 0; k < n; ++k) {
      a[at(k)] = -v[at(k)];
      for (Size i = 0; i < n; ++i) a[at(k)] += q[i][k] * b[at(i)];
    }
    a = solve_factorised(p, std::move(a));
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }
};

double scale_of(const State& s) { return s.s.empty() ? 1 : s.yy.back().back() / s.sy.back().back(); }

// [[-D, L^T], [L, c S^T S]]^-1
Middle middle_of(const State& s, double c) {
  const Size pairs = static_cast<Size>(s.s.size());
  Matrix d(pairs, pairs), l(pairs, pairs), e(pairs, pairs);
  for (Size i = 0; i < pairs; ++i) {
    d[i][i] = s.sy[at(i)][at(i)];
    for (Size j = 0; j < pairs; ++j) {
      if (j < i) l[i][j] = s.sy[at(i)][at(j)];
      e[i][j] = c * s.ss[at(i)][at(j)];
    }
  }
  return {std::move(d), std::move(l), std::move(e)};
}

// B = c I - W M W^T
struct Model {
  const State& state;
  Size pairs;
  double c;
  Middle m;

  explicit Model(const State& s) : state(s), pairs(static_cast<Size>(s.s.size())), c(scale_of(s)), m(middle_of(s, c)) {}
  Vector row(Size i) const {  // of W
    Vector w(at(2 * pairs));
    for (Size k = 0; k < pairs; ++k) {
      w[at(k)] = state.y[at(k)][at(i)];
      w[at(pairs + k)] = c * state.s[at(k)][at(i)];
    }
    return w;
  }
  Vector transposed_times(const Vector& v) const {  // W^T v
    Vector w(at(2 * pairs));
    for (Size k = 0; k < pairs; ++k) {
      w[at(k)] = optim::dot(state.y[at(k)].data(), v.data(), static_cast<Size>(v.size()));
      w[at(pairs + k)] = c * optim::dot(state.s[at(k)].data(), v.data(), static_cast<Size>(v.size()));
    }
    return w;
  }
  // (M^-1 - W_F^T W_F / c)^-1, F the free numbers, A the others. What cancels there is left out: M^-1's L and c S^T S
  // less those of F are those of A.
  Middle without(const std::vector<Size>& free, Size n) const {
    std::vector<bool> is_free(at(n));
    for (const Size i : free) is_free[at(i)] = true;
    const bool by_free = 2 * static_cast<Size>(free.size()) < n;  // products of the fewer; the rest is what is left
    std::vector<Size> which;
    for (Size i = 0; i < n; ++i)
      if (is_free[at(i)] == by_free) which.push_back(i);
    const auto gather = [&](const std::vector<Vector>& all) {
      std::vector<Vector> some;
      for (const Vector& v : all) {
        some.emplace_back();
        for (const Size i : which) some.back().push_back(v[at(i)]);
      }
      return some;
    };
    const std::vector<Vector> s = gather(state.s), y = gather(state.y);
    Matrix p(pairs, pairs), q(pairs, pairs), e(pairs, pairs);
    for (Size i = 0; i < pairs; ++i)
      for (Size j = 0; j < pairs; ++j) {
        const double ss = dot(s[at(i)], s[at(j)]), sy = dot(s[at(i)], y[at(j)]), yy = dot(y[at(i)], y[at(j)]);
        const double yy_free = by_free ? yy : state.yy[at(i)][at(j)] - yy;
        const double sy_free = by_free ? sy : state.sy[at(i)][at(j)] - sy;
        const double sy_fixed = by_free ? state.sy[at(i)][at(j)] - sy : sy;
        const double ss_fixed = by_free ? state.ss[at(i)][at(j)] - ss : ss;
        p[i][j] = (i == j ? state.sy[at(i)][at(i)] : 0) + yy_free / c;
        q[i][j] = i > j ? sy_fixed : -sy_free;
        e[i][j] = c * ss_fixed;
      }
    return {std::move(p), std::move(q), std::move(e)};
  }
};

struct Box {
  const double *lower, *upper;  // null: none
  double low(Size i) const { return lower ? lower[i] : -infinity; }
  double high(Size i) const { return upper ? upper[i] : infinity; }
};

// Algorithm CP of Byrd et al.: z, W^T (z - x), and what is free there.
struct Cauchy {
  Vector z, product;
  std::vector<Size> free;

  Cauchy(const Model& b, const Box& box, const double* x, const double* g, Size n)
      : z(x, x + n), product(at(2 * b.pairs)) {
    Vector d(at(n)), until(at(n));  // the path is x + t d, each number as far as its own t
    std::vector<Size> order;
    for (Size i = 0; i < n; ++i) {
      const double bound = g[i] < 0 ? box.high(i) : box.low(i);
      until[at(i)] = g[i] == 0 ? infinity : (x[i] - bound) / g[i];
      if (until[at(i)] <= 0) continue;
      d[at(i)] = -g[i];
      if (until[at(i)] < infinity) order.push_back(i);
    }
    std::sort(order.begin(), order.end(), [&](Size i, Size j) { return until[at(i)] < until[at(j)]; });
    Vector p = b.transposed_times(d);
    double slope = -optim::dot(d.data(), d.data(), n);
    double bend = -b.c * slope - dot(p, b.m(p));
    const double least_bend = 0x1p-52 * bend;
    double t = 0, ahead = slope < 0 ? -slope / bend : 0;
    for (const Size i : order) {
      const double piece = until[at(i)] - t;
      if (slope >= 0 || ahead < piece) break;
      z[at(i)] = g[i] < 0 ? box.high(i) : box.low(i);
      const double gone = z[at(i)] - x[i];
      add(product, piece, p);
      const Vector w = b.row(i), mw = b.m(w);
      slope += piece * bend + g[i] * g[i] + b.c * g[i] * gone - g[i] * dot(mw, product);
      bend -= b.c * g[i] * g[i] + 2 * g[i] * dot(mw, p) + g[i] * g[i] * dot(mw, w);
      bend = std::max(bend, least_bend);
      add(p, g[i], w);
      d[at(i)] = 0;
      t = until[at(i)];
      ahead = -slope / bend;
    }
    ahead = std::max(ahead, 0.0);
    t += ahead;
    add(product, ahead, p);
    for (Size i = 0; i < n; ++i) {
      if (d[at(i)] != 0) z[at(i)] = x[i] + t * d[at(i)];
      // free: not on a bound that the path has come to
      if (d[at(i)] != 0 || (g[i] == 0 && box.low(i) < x[i] && x[i] < box.high(i))) free.push_back(i);
    }
  }
};

// From z to the model's minimum in what is free: the direct primal method, with Morales and Nocedal's projection.
void minimise_free(const Model& b, const Box& box, const double* x, const double* g, Cauchy& cauchy) {
  if (b.pairs == 0 || cauchy.free.empty()) return;
  // r = g + c (z - x) - W M W^T (z - x);   d = -(1/c) r - (1/c^2) W_F (M^-1 - W_F^T W_F / c)^-1 W_F^T r
  const Vector mp = b.m(cauchy.product);
  const Middle inner = b.without(cauchy.free, static_cast<Size>(cauchy.z.size()));
  if (!inner.right) return;
  std::vector<Vector> rows;
  Vector r, wr(at(2 * b.pairs));
  for (const Size i : cauchy.free) {
    rows.push_back(b.row(i));
    r.push_back(g[i] + b.c * (cauchy.z[at(i)] - x[i]) - dot(rows.back(), mp));
    add(wr, r.back(), rows.back());
  }
  const Vector v = inner(wr);
  Vector d;
  for (std::size_t k = 0; k < rows.size(); ++k) d.push_back(-r[k] / b.c - dot(rows[k], v) / (b.c * b.c));

  Vector projected(cauchy.z);
  double slope = 0;
  for (std::size_t k = 0; k < d.size(); ++k) {
    const Size i = cauchy.free[k];
    projected[at(i)] = std::clamp(cauchy.z[at(i)] + d[k], box.low(i), box.high(i));
  }
  for (std::size_t i = 0; i < projected.size(); ++i) slope += (projected[i] - x[i]) * g[i];
  if (slope > 0) {  // shortened
    double part = 1;
    for (std::size_t k = 0; k < d.size(); ++k) {
      const Size i = cauchy.free[k];
      if (d[k] > 0) part = std::min(part, (box.high(i) - cauchy.z[at(i)]) / d[k]);
      if (d[k] < 0) part = std::min(part, (box.low(i) - cauchy.z[at(i)]) / d[k]);
    }
    projected = cauchy.z;
    for (std::size_t k = 0; k < d.size(); ++k) {
      const Size i = cauchy.free[k];
      projected[at(i)] = std::clamp(cauchy.z[at(i)] + part * d[k], box.low(i), box.high(i));
    }
  }
  cauchy.z = std::move(projected);
}

// A pair more, and its products; the oldest goes.
void remember(State& state, Vector s, Vector y, Size history) {
  if (static_cast<Size>(state.s.size()) == history) {
    for (auto* list : {&state.s, &state.y, &state.ss, &state.sy, &state.yy}) list->erase(list->begin());
    for (auto* products : {&state.ss, &state.sy, &state.yy})
      for (Vector& row : *products) row.erase(row.begin());
  }
  const Size n = static_cast<Size>(s.size());
  state.s.push_back(std::move(s));
  state.y.push_back(std::move(y));
  const std::size_t pairs = state.s.size(), last = pairs - 1;
  for (auto* products : {&state.ss, &state.sy, &state.yy}) {
    for (Vector& row : *products) row.resize(pairs);
    products->emplace_back(pairs);
  }
  for (std::size_t i = 0; i < pairs; ++i) {
    const auto product = [n](const Vector& a, const Vector& b) { return optim::dot(a.data(), b.data(), n); };
    state.ss[i][last] = state.ss[last][i] = product(state.s[i], state.s[last]);
    state.yy[i][last] = state.yy[last][i] = product(state.y[i], state.y[last]);
    state.sy[i][last] = product(state.s[i], state.y[last]);
    state.sy[last][i] = product(state.s[last], state.y[i]);
  }
}

}  // namespace

void LBFGSBRule::check(const Require& require) const {
  require(history > 0, "a history of 1 pair or more", static_cast<double>(history));
  require(armijo > 0 && armijo < curvature, "armijo to be above 0 and below curvature", armijo);
  require(curvature > 0 && curvature < 1, "a curvature between 0 and 1", curvature);
  require(max_trials > 0, "1 trial or more", static_cast<double>(max_trials));
}

Advance LBFGSBRule::advance(Objective& f, State& state) const {
  const Tensor x = f.x(), g = f.gradient();
  const Size n = f.size();
  const Separable& part = f.separable();
  const Box box{part.bounded() ? numbers(part.lower) : nullptr, part.bounded() ? numbers(part.upper) : nullptr};
  bool boxed = part.bounded();
  for (Size i = 0; boxed && i < n; ++i) boxed = box.low(i) > -infinity && box.high(i) < infinity;
  const double noise = f.noise();
  for (;; state.s.clear(), state.y.clear(), state.ss.clear(), state.sy.clear(), state.yy.clear()) {
    const bool fresh = state.s.empty();
    const Model model(state);
    if (!model.m.right) continue;
    // Along the gradient alone it is in the loss's units, and x - g may be rounded to x: it is made longer then.
    Vector along(numbers(g), numbers(g) + n);
    if (fresh)
      if (const double longer = FirstStep(length(along.data(), n), length(numbers(x), n)).first; longer > 1)
        for (double& e : along) e *= longer;
    Cauchy cauchy(model, box, numbers(x), along.data(), n);
    minimise_free(model, box, numbers(x), along.data(), cauchy);
    Vector d(at(n));
    combine(d.data(), cauchy.z.data(), -1, numbers(x), n);
    const double slope = optim::dot(d.data(), numbers(g), n), promised = -0.5 * slope;
    if (!std::isfinite(slope) || !(slope < 0)) {
      if (fresh) return promised <= noise ? Advance::exact : Advance::stuck;
      continue;
    }
    if (!fresh && state.rounding.reached(promised, noise)) return Advance::exact;
    const FirstStep step(length(d.data(), n), length(numbers(x), n));
    const double far = fresh ? step.longest : Wolfe().longest;
    double longest = far;
    if (part.bounded()) {
      if (!state.moved) longest = 1;
      for (Size i = 0; state.moved && i < n; ++i)
        if (d[at(i)] != 0)
          longest = std::min(longest, ((d[at(i)] > 0 ? box.high(i) : box.low(i)) - numbers(x)[i]) / d[at(i)]);
    }
    const double first = std::min(longest, !state.moved && !boxed ? 1 / length(d.data(), n) : 1.0);
    const Wolfe wolfe{.armijo = armijo, .curvature = curvature, .longest = longest, .max_trials = max_trials};
    const double a = wolfe_search(f, tensor(d), first, wolfe);
    if (a >= far && went_far(a * length(d.data(), n), length(numbers(x), n))) return Advance::unbounded;
    if (a > 0) {
      state.moved = true;
      Vector s(at(n)), y(at(n));
      combine(s.data(), numbers(f.x()), -1, numbers(x), n);
      combine(y.data(), numbers(f.gradient()), -1, numbers(g), n);
      if (optim::dot(s.data(), y.data(), n) > 0x1p-52 * -a * slope)
        remember(state, std::move(s), std::move(y), history);
      return Advance::moved;
    }
    if (promised <= noise) return Advance::exact;
    if (fresh) return Advance::stuck;
  }
}

}  // namespace xgrad::optim
