// Linear algebra, with its derivatives, against PyTorch's numbers (references/make_linalg.py).
#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>

#include <xgrad/autodiff.hpp>
#include "references/references.hpp"

using namespace xgrad;

namespace {

struct Row {
  const char* name;
  std::string operands;  // of the file
  std::function<Tensor(const Tensors&)> f;
};
const Row rows[] = {
    {"cholesky", "s", [](const Tensors& x) { return cholesky(x[0]); }},
    {"solve", "ab", [](const Tensors& x) { return solve(x[0], x[1]); }},
    {"solve_lower", "ab", [](const Tensors& x) { return solve_triangular(tril(x[0]), x[1]); }},
    {"solve_upper", "ab", [](const Tensors& x) { return solve_triangular(triu(x[0]), x[1], {.lower = false}); }},
    {"inv", "a", [](const Tensors& x) { return inv(x[0]); }},
    {"det", "a", [](const Tensors& x) { return det(x[0]); }},
    {"slogdet", "a", [](const Tensors& x) { return slogdet(x[0])[1]; }},
    {"logdet", "s", [](const Tensors& x) { return logdet(x[0]); }},
    {"eigenvalues", "s", [](const Tensors& x) { return eigh(x[0])[0]; }},
    {"eigenvectors", "s",
     [](const Tensors& x) {
       const Tensors e = eigh(x[0]);
       const Tensor w = stack({e[0]}, -2), v = e[1];
       return matmul(v * (w * w + w), transpose(v));
     }},
};

}  // namespace

BOOST_AUTO_TEST_CASE(values_and_gradients) {
  const references::File file("linalg");
  constexpr double times = 100;  // of references::tolerance: the matrices' condition
  for (const char* size : {"1.", "3.", "5.", "24."})
    for (const Row& row : rows) {
      const std::string key = std::string(size) + row.name;
      BOOST_TEST_CONTEXT(key) {
        Tensors x;
        for (const char operand : row.operands) x.push_back(watch(file[std::string(size) + operand]));
        const Tensor y = row.f(x);
        BOOST_TEST(references::difference(y, file[key], times) == "");
        const Tensors g = grad(sum(y * file[key + ".g"]), x);
        for (std::size_t i = 0; i < x.size(); ++i)
          BOOST_TEST(references::difference(g[i], file[key + "." + row.operands[i]], times) == "",
                     "by " << row.operands[i]);
      }
    }
}
