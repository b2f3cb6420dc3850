// The hand's side: a network's matrix products alone, each by whichever library is the fastest at it.
#include <dlfcn.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>

#include "bench/worker.hpp"

namespace bench {
namespace {

struct Product {  // c [m, n] = a b, with a or b transposed
  bool ta, tb;
  std::int64_t m, n, k;
  std::vector<float> a, b, c;

  Product(bool a_transposed, bool b_transposed, std::int64_t rows, std::int64_t columns, std::int64_t inner)
      : ta(a_transposed), tb(b_transposed), m(rows), n(columns), k(inner) {
    a = uniform(static_cast<std::size_t>(m * k), -1, 1, 1);
    b = uniform(static_cast<std::size_t>(k * n), -1, 1, 2);
    c.resize(static_cast<std::size_t>(m * n));
  }
  std::int64_t lda() const { return ta ? m : k; }
  std::int64_t ldb() const { return tb ? k : n; }

  void check() const {
    for (std::int64_t place : {std::int64_t{0}, m * n / 3, m * n - 1}) {
      const std::int64_t i = place / n, j = place % n;
      double exact = 0;
      for (std::int64_t l = 0; l < k; ++l)
        exact += static_cast<double>(a[ta ? l * m + i : i * k + l]) * b[tb ? j * k + l : l * n + j];
      if (!(std::abs(exact - c[place]) < 1e-4 * std::sqrt(static_cast<double>(k))))
        throw std::runtime_error("a product is wrong");
    }
  }
};

using Library = void (*)(Product&);

template <class F>
F symbol(const char* library, const char* name) {
  void* opened = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  return opened ? reinterpret_cast<F>(dlsym(opened, name)) : nullptr;
}

using Sgemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
using DnnlSgemm = int (*)(char, char, std::int64_t, std::int64_t, std::int64_t, float, const float*, std::int64_t,
                          const float*, std::int64_t, float, float*, std::int64_t);

// It reads its core type (the driver picks the best) as it is loaded, and its threads from OMP_NUM_THREADS.
Sgemm openblas_sgemm() {
  static const auto found = symbol<Sgemm>("libopenblas.so.0", "cblas_sgemm");
  return found;
}
DnnlSgemm dnnl_sgemm() {
  static const auto found = [] {
    const auto f = symbol<DnnlSgemm>("libdnnl.so.2", "dnnl_sgemm");
    return f ? f : symbol<DnnlSgemm>("libdnnl.so.3", "dnnl_sgemm");
  }();
  return found;
}

void openblas(Product& p) {
  constexpr int row_major = 101, no = 111, yes = 112;
  openblas_sgemm()(row_major, p.ta ? yes : no, p.tb ? yes : no, static_cast<int>(p.m), static_cast<int>(p.n),
                   static_cast<int>(p.k), 1, p.a.data(), static_cast<int>(p.lda()), p.b.data(),
                   static_cast<int>(p.ldb()), 0, p.c.data(), static_cast<int>(p.n));
}
void dnnl(Product& p) {
  dnnl_sgemm()(p.ta ? 'T' : 'N', p.tb ? 'T' : 'N', p.m, p.n, p.k, 1, p.a.data(), p.lda(), p.b.data(), p.ldb(), 0,
               p.c.data(), p.n);
}

std::vector<Library> libraries() {
  std::vector<Library> found;
  if (openblas_sgemm()) found.push_back(openblas);
  if (dnnl_sgemm()) found.push_back(dnnl);
  return found;
}

double least_seconds(Library library, Product& product) {
  double least = std::numeric_limits<double>::infinity(), total = 0;
  for (int i = 0; i < 5 || (total < 0.02 && i < 1000); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    library(product);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    least = std::min(least, seconds);
    total += seconds;
  }
  return least;
}

// Forward and backward of in - hidden - out: x W1^T, h W2^T; g^T h, g W2, gh^T x.
std::vector<Product> products_of(const Network& network) {
  const auto [in, hidden, out, batch] = std::array{network.in, network.hidden, network.out, network.batch};
  return {{false, true, batch, hidden, in},
          {false, true, batch, out, hidden},
          {true, false, out, hidden, batch},
          {false, false, batch, hidden, out},
          {true, false, hidden, in, batch}};
}

// All by one library, or (null) each by its fastest.
Work products(const std::string& name, const Network& network, Library library) {
  return {name, [=] {
            struct State {
              std::vector<Product> products;
              std::vector<Library> by;
            };
            auto s = std::make_shared<State>(State{products_of(network), {}});
            for (Product& product : s->products) {
              s->by.push_back(library);
              double best = std::numeric_limits<double>::infinity();
              if (library) continue;
              for (const Library one : libraries())
                if (const double seconds = least_seconds(one, product); seconds < best) {
                  best = seconds;
                  s->by.back() = one;
                }
            }
            return Running{[=] {
                             for (std::size_t i = 0; i < s->by.size(); ++i) s->by[i](s->products[i]);
                           },
                           [=] {
                             std::vector<double> numbers;
                             for (const Product& product : s->products) {
                               product.check();
                               for (const double number : sample(product.c.data(), product.c.size()))
                                 numbers.push_back(number);
                             }
                             return numbers;
                           }};
          }};
}

}  // namespace
}  // namespace bench

int main() {
  using namespace bench;
  std::vector<Work> works;
  add_ops(works);
  add_own(works);
  add_optimizers(works);
#ifdef BENCH_CERES
  add_nist(works);
#endif
  const std::vector<Library> found = libraries();
  for (const Network& network : networks) {
    const std::string name = "products." + std::string(network.name);
    for (const Library library : found) works.push_back(products(name, network, library));
    if (found.size() > 1) works.push_back(products(name, network, nullptr));
    if (openblas_sgemm()) works.push_back(products("openblas." + std::string(network.name), network, openblas));
  }
  return serve(works);
}
