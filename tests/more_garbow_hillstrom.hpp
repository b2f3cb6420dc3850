// Moré, Garbow & Hillstrom, "Testing unconstrained optimization software", ACM TOMS 7 (1981): all 35 problems, as sums of
// squares f = sum r^2, by their numbers there.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>

namespace problems {

using namespace xgrad;

struct Problem {
  const char* name;
  std::vector<double> start;
  std::function<Tensor(const Tensor& x)> residuals;
  double least;                                  // f at the minimum, as published
  std::vector<std::vector<double>> minima = {};  // any of these; none: not given, or not unique
  bool singular = false;                         // the Hessian at the minimum: convergence is linear, and x is loose
  std::vector<double> others = {};               // f at other minima that are known, where methods may end, too
};

namespace parts {

inline std::vector<double> times(int n, const std::vector<double>& some) {
  std::vector<double> all;
  for (int i = 0; i < n; ++i) all.insert(all.end(), some.begin(), some.end());
  return all;
}
inline std::vector<double> each(int n, const std::function<double(double i)>& f) {
  std::vector<double> all;
  for (int i = 1; i <= n; ++i) all.push_back(f(i));
  return all;
}
inline Tensor upto(double n) { return arange(1.0, n + 1); }
inline Tensor one(const Tensor& x) { return reshape(x, {1}); }
// f(before), f(0) where there is none: x shifted by k, and 0
inline Tensor shifted(const Tensor& x, Size k) {
  const Size n = x.size(0);
  return k > 0 ? pad(slice(x, 0, 0, n - k), 0, k, 0) : pad(slice(x, 0, -k, n), 0, 0, -k);
}
inline Tensor singular(const Tensor& x) {  // Powell's function, of [n, 4]
  const Tensor a = select(x, 1, 0), b = select(x, 1, 1), c = select(x, 1, 2), d = select(x, 1, 3);
  return concat({a + 10.0 * b, std::sqrt(5.0) * (c - d), square(b - 2.0 * c), std::sqrt(10.0) * square(a - d)});
}
inline std::vector<double> boundary_start() {
  return each(10, [](double i) { return i / 11 * (i / 11 - 1); });
}

}  // namespace parts

inline const std::vector<Problem>& more_garbow_hillstrom() {
  using namespace parts;
  const double s10 = std::sqrt(10.0), s90 = std::sqrt(90.0), small = std::sqrt(1e-5);
  // clang-format off
  static const std::vector<Problem> list{
      {"Rosenbrock (1)", {-1.2, 1}, [](const Tensor& x) {
         return stack({10.0 * (x[1] - square(x[0])), 1.0 - x[0]});
       }, 0, {{1, 1}}},
      {"Freudenstein-Roth (2)", {0.5, -2}, [](const Tensor& x) {
         return stack({-13.0 + x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1],
                       -29.0 + x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1]});
       }, 48.9842536792, {{11.4127790, -0.8968053}}, false, {0}},
      {"Powell badly scaled (3)", {0, 1}, [](const Tensor& x) {
         return stack({1e4 * x[0] * x[1] - 1.0, exp(-x[0]) + exp(-x[1]) - 1.0001});
       }, 0, {{1.0981593e-5, 9.1061467}}},
      {"Brown badly scaled (4)", {1, 1}, [](const Tensor& x) {
         return stack({x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2.0});
       }, 0, {{1e6, 2e-6}}},
      {"Beale (5)", {1, 1}, [](const Tensor& x) {
         return stack({1.5 - x[0] * (1.0 - x[1]), 2.25 - x[0] * (1.0 - pow(x[1], 2.0)),
                       2.625 - x[0] * (1.0 - pow(x[1], 3.0))});
       }, 0, {{3, 0.5}}},
      {"Jennrich-Sampson (6)", {0.3, 0.4}, [](const Tensor& x) {
         const Tensor i = upto(10);
         return 2.0 + 2.0 * i - (exp(i * x[0]) + exp(i * x[1]));
       }, 124.362182356, {{0.257825, 0.257825}}},
      {"helical valley (7)", {-1, 0, 0}, [](const Tensor& x) {
         const Tensor theta = atan(x[1] / x[0]) / (2 * std::numbers::pi) + where(x[0] > 0.0, 0.0, 0.5);
         return stack({10.0 * (x[2] - 10.0 * theta), 10.0 * (sqrt(square(x[0]) + square(x[1])) - 1.0), x[2]});
       }, 0, {{1, 0, 0}}},
      {"Bard (8)", {1, 1, 1}, [](const Tensor& x) {
         const Tensor u = upto(15), v = 16.0 - u;
         const Tensor y = tensor({.14, .18, .22, .25, .29, .32, .35, .39, .37, .58, .73, .96, 1.34, 2.10, 4.39});
         return y - (x[0] + u / (v * x[1] + minimum(u, v) * x[2]));
       }, 8.21487731e-3, {{0.0824106, 1.1330361, 2.3436952}}, false, {17.42869}},
      {"Gaussian (9)", {0.4, 1, 0}, [](const Tensor& x) {
         const Tensor y = tensor({.0009, .0044, .0175, .0540, .1295, .2420, .3521, .3989, .3521, .2420, .1295, .0540,
                                  .0175, .0044, .0009});
         return x[0] * exp(-0.5 * x[1] * square((8.0 - upto(15)) / 2.0 - x[2])) - y;
       }, 1.12793277e-8, {{0.398956138, 1.00001908, 0}}},
      {"Meyer (10)", {0.02, 4000, 250}, [](const Tensor& x) {
         const Tensor y = tensor({34780., 28610., 23650., 19630., 16370., 13720., 11540., 9744., 8261., 7030., 6005.,
                                  5147., 4427., 3820., 3307., 2872.});
         return x[0] * exp(x[1] / (45.0 + 5.0 * upto(16) + x[2])) - y;
       }, 87.9458551706, {{0.0056096365, 6181.3463, 345.22363}}},
      {"Gulf research (11)", {5, 2.5, 0.15}, [](const Tensor& x) {  // |y - x2|; the paper's y m i x2 is a misprint
         const Tensor t = upto(99) / 100.0, y = 25.0 + pow(-50.0 * log(t), 2.0 / 3);
         return exp(-pow(abs(y - x[1]), x[2]) / x[0]) - t;
       }, 0, {{50, 25, 1.5}}},
      {"Box 3-D (12)", {0, 10, 20}, [](const Tensor& x) {
         const Tensor t = upto(10) / 10.0;
         return exp(-t * x[0]) - exp(-t * x[1]) - x[2] * (exp(-t) - exp(-10.0 * t));
       }, 0},
      {"Powell singular (13)", {3, -1, 0, 1}, [](const Tensor& x) { return singular(reshape(x, {1, 4})); },
       0, {{0, 0, 0, 0}}, true},
      {"Wood (14)", {-3, -1, -3, -1}, [s90, s10](const Tensor& x) {
         return stack({10.0 * (x[1] - square(x[0])), 1.0 - x[0], s90 * (x[3] - square(x[2])), 1.0 - x[2],
                       s10 * (x[1] + x[3] - 2.0), (x[1] - x[3]) / s10});
       }, 0, {{1, 1, 1, 1}}},
      {"Kowalik-Osborne (15)", {0.25, 0.39, 0.415, 0.39}, [](const Tensor& x) {
         const Tensor y = tensor({.1957, .1947, .1735, .1600, .0844, .0627, .0456, .0342, .0323, .0235, .0246});
         const Tensor u = tensor({4., 2., 1., .5, .25, .167, .125, .1, .0833, .0714, .0625});
         return y - x[0] * (square(u) + u * x[1]) / (square(u) + u * x[2] + x[3]);
       }, 3.07505604e-4, {{0.19280693, 0.19128234, 0.12305651, 0.13606233}}, false, {1.02734e-3}},
      {"Brown-Dennis (16)", {25, 5, -5, -1}, [](const Tensor& x) {
         const Tensor t = upto(20) / 5.0;
         return square(x[0] + t * x[1] - exp(t)) + square(x[2] + x[3] * sin(t) - cos(t));
       }, 85822.2016264, {{-11.594440, 13.203630, -0.403439, 0.236779}}},
      {"Osborne 1 (17)", {0.5, 1.5, -1, 0.01, 0.02}, [](const Tensor& x) {
         const Tensor y = tensor({.844, .908, .932, .936, .925, .908, .881, .850, .818, .784, .751, .718, .685, .658,
                                  .628, .603, .580, .558, .538, .522, .506, .490, .478, .467, .457, .448, .438, .431,
                                  .424, .420, .414, .411, .406});
         const Tensor t = 10.0 * (upto(33) - 1.0);
         return y - (x[0] + x[1] * exp(-t * x[3]) + x[2] * exp(-t * x[4]));
       }, 5.4648946975e-5, {{0.375410, 1.935847, -1.464687, 0.0128675, 0.0221227}}},
      {"Biggs EXP6 (18)", {1, 2, 1, 1, 1, 1}, [](const Tensor& x) {
         const Tensor t = upto(13) / 10.0, y = exp(-t) - 5.0 * exp(-10.0 * t) + 3.0 * exp(-4.0 * t);
         return x[2] * exp(-t * x[0]) - x[3] * exp(-t * x[1]) + x[5] * exp(-t * x[4]) - y;
       }, 0, {}, false, {5.65564992e-3}},
      {"Osborne 2 (19)", {1.3, .65, .65, .7, .6, 3, 5, 7, 2, 4.5, 5.5}, [](const Tensor& x) {
         const Tensor y = tensor(
             {1.366, 1.191, 1.112, 1.013, .991, .885, .831, .847, .786, .725, .746, .679, .608, .655, .616, .606, .602,
              .626,  .651,  .724,  .649,  .649, .694, .644, .624, .661, .612, .558, .533, .495, .500, .423, .395, .375,
              .372,  .391,  .396,  .405,  .428, .429, .523, .562, .607, .653, .672, .708, .633, .668, .645, .632, .591,
              .559,  .597,  .625,  .739,  .710, .729, .720, .636, .581, .428, .292, .162, .098, .054});
         const Tensor t = (upto(65) - 1.0) / 10.0;
         return y - (x[0] * exp(-t * x[4]) + x[1] * exp(-square(t - x[8]) * x[5]) +
                     x[2] * exp(-square(t - x[9]) * x[6]) + x[3] * exp(-square(t - x[10]) * x[7]));
       }, 4.01377362935e-2, {{1.309977, .431554, .633662, .599431, .754183, .904289, 1.365812, 4.823699, 2.398685,
                              4.568875, 5.675341}}},
      {"Watson (20), n 6", times(6, {0}), [](const Tensor& x) {
         const Tensor t = unsqueeze(upto(29) / 29.0, 1), j = arange(0.0, 6.0);
         const Tensor slope = matmul(concat({zeros({29, 1}, f64), pow(t, arange(0.0, 5.0)) * upto(5)}, 1), x);
         return concat({slope - square(matmul(pow(t, j), x)) - 1.0, one(x[0]), one(x[1] - square(x[0]) - 1.0)});
       }, 2.28767005355e-3, {{-0.015725, 1.012435, -0.232992, 1.260430, -1.513729, 0.992996}}},
      {"extended Rosenbrock (21), n 40", times(20, {-1.2, 1}), [](const Tensor& x) {
         const Tensor pairs = reshape(x, {20, 2});
         const Tensor a = select(pairs, 1, 0), b = select(pairs, 1, 1);
         return concat({10.0 * (b - square(a)), 1.0 - a});
       }, 0, {times(40, {1})}},
      {"extended Powell singular (22), n 12", times(3, {3, -1, 0, 1}),
       [](const Tensor& x) { return singular(reshape(x, {3, 4})); }, 0, {times(12, {0})}, true},
      {"penalty I (23), n 10", each(10, [](double i) { return i; }), [small](const Tensor& x) {
         return concat({small * (x - 1.0), one(sum(square(x)) - 0.25)});
       }, 7.08765146709e-5},
      {"penalty II (24), n 10", times(10, {0.5}), [small](const Tensor& x) {
         const Tensor i = arange(2.0, 11.0), y = exp(i / 10.0) + exp((i - 1.0) / 10.0);
         const Tensor head = slice(x, 0, 0, 9), tail = slice(x, 0, 1, 10);
         return concat({one(x[0] - 0.2), small * (exp(tail / 10.0) + exp(head / 10.0) - y),
                        small * (exp(tail / 10.0) - std::exp(-0.1)), one(dot(11.0 - upto(10), square(x)) - 1.0)});
       }, 2.93660537457e-4, {}, true},
      {"variably dimensioned (25), n 10", each(10, [](double i) { return 1 - i / 10; }), [](const Tensor& x) {
         const Tensor s = dot(upto(10), x - 1.0);
         return concat({x - 1.0, one(s), one(square(s))});
       }, 0, {times(10, {1})}},
      {"trigonometric (26), n 10", times(10, {0.1}), [](const Tensor& x) {
         return 10.0 - sum(cos(x)) + upto(10) * (1.0 - cos(x)) - sin(x);
       }, 2.79505612188e-5, {}, false, {0}},
      {"Brown almost-linear (27), n 10", times(10, {0.5}), [](const Tensor& x) {
         return concat({slice(x, 0, 0, 9) + sum(x) - 11.0, one(prod(x) - 1.0)});
       }, 0, {}, false, {1}},
      {"discrete boundary value (28), n 10", boundary_start(), [](const Tensor& x) {
         const Tensor t = upto(10) / 11.0;
         return 2.0 * x - shifted(x, 1) - shifted(x, -1) + 0.5 / 121 * pow(x + t + 1.0, 3.0);
       }, 0},
      {"discrete integral equation (29), n 10", boundary_start(), [](const Tensor& x) {
         const Tensor t = upto(10) / 11.0, low = minimum(unsqueeze(t, 1), t), high = maximum(unsqueeze(t, 1), t);
         return x + 0.5 / 11 * matmul(low * (1.0 - high), pow(x + t + 1.0, 3.0));  // t_< (1 - t_>): Green's function
       }, 0},
      {"Broyden tridiagonal (30), n 10", times(10, {-1}), [](const Tensor& x) {
         return (3.0 - 2.0 * x) * x - shifted(x, 1) - 2.0 * shifted(x, -1) + 1.0;
       }, 0},
      {"Broyden banded (31), n 10", times(10, {-1}), [](const Tensor& x) {
         const Tensor u = x * (1.0 + x);
         Tensor band = shifted(u, -1);
         for (Size k = 1; k <= 5; ++k) band = band + shifted(u, k);
         return x * (2.0 + 5.0 * square(x)) + 1.0 - band;
       }, 0, {}, false, {2.680021, 3.057283}},
      {"linear, full rank (32), n 5, m 10", times(5, {1}), [](const Tensor& x) {
         return pad(x, 0, 0, 5) - 0.2 * sum(x) - 1.0;
       }, 5, {times(5, {-1})}},
      {"linear, rank 1 (33), n 5, m 10", times(5, {1}), [](const Tensor& x) {
         return upto(10) * dot(upto(5), x) - 1.0;
       }, 15.0 / 7, {}, true},
      {"linear, rank 1, zeros (34), n 5, m 10", times(5, {1}), [](const Tensor& x) {
         const Tensor s = dot(arange(2.0, 5.0), slice(x, 0, 1, 4));
         return pad(arange(1.0, 9.0) * s, 0, 1, 1) - 1.0 + 0.0 * x[0];
       }, 62.0 / 17, {}, true},
      {"Chebyquad (35), n 8", each(8, [](double i) { return i / 9; }), [](const Tensor& x) {
         const Tensor y = 2.0 * x - 1.0;
         Tensor before = ones({8}, f64), now = y;
         Tensors rows;
         for (int i = 1; i <= 8; ++i) {
           rows.push_back(mean(now) + (i % 2 == 0 ? 1.0 / (i * i - 1) : 0.0));
           const Tensor next = 2.0 * y * now - before;
           before = now;
           now = next;
         }
         return stack(rows);
       }, 3.51687372568e-3},
  };
  // clang-format on
  return list;
}

}  // namespace problems
