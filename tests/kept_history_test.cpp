// What takes a tensor and gives one keeps its history, and so does an op's result where the slope is 0.
#include <boost/test/unit_test.hpp>
#include <functional>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/nn.hpp>
#include "helpers.hpp"
#include "sweep/inputs.hpp"

using namespace xgrad;
using namespace helpers;

// ---- what takes a tensor and gives one keeps its history

namespace {

struct Passing {
  const char* name;
  std::function<Tensor(const Tensor& x)> f;
};
const std::vector<Passing> passing = {
    {"itself", [](const Tensor& x) { return x; }},
    {"contiguous", [](const Tensor& x) { return contiguous(x); }},
    {"contiguous twice", [](const Tensor& x) { return contiguous(transpose(contiguous(x))); }},
    {"evaluate", [](const Tensor& x) { return evaluate(x); }},
    {"reshape", [](const Tensor& x) { return reshape(x, {-1}); }},
    {"reshape to the same", [](const Tensor& x) { return reshape(x, x.shape()); }},
    {"flatten", [](const Tensor& x) { return flatten(x); }},
    {"cast to the same", [](const Tensor& x) { return cast(x, x.dtype()); }},
    {"cast and back", [](const Tensor& x) { return cast(cast(x, f32), f64); }},
    {"transpose", [](const Tensor& x) { return transpose(x); }},
    {"permute to the same",
     [](const Tensor& x) {
       return permute(x, {0, 1});
     }},
    {"slice of all", [](const Tensor& x) { return slice(x, 0, 0); }},
    {"flip", [](const Tensor& x) { return flip(x, 0); }},
    {"expand to the same", [](const Tensor& x) { return expand(x, x.shape()); }},
    {"squeeze", [](const Tensor& x) { return squeeze(unsqueeze(x, 0), 0); }},
    {"pad by none", [](const Tensor& x) { return pad(x, 0, 0, 0); }},
    {"concat of one", [](const Tensor& x) { return concat({x}); }},
    {"stack of one", [](const Tensor& x) { return stack({x}); }},
    {"rows, stacked",
     [](const Tensor& x) {
       Tensors rows;
       for (Size i = 0; i < x.size(0); ++i) rows.push_back(x[i]);
       return stack(rows);
     }},
    {"a list's", [](const Tensor& x) { return Tensors{x}[0]; }},
    {"watch", [](const Tensor& x) { return watch(x); }},
    {"pow 1", [](const Tensor& x) { return pow(x, 1.0); }},
    {"+=",
     [](const Tensor& x) {
       Tensor y = x;
       y += 0.0;
       return y;
     }},
    {"sum_to the same", [](const Tensor& x) { return sum(unsqueeze(x, 0), 0); }},
    {"mean over an axis of 1", [](const Tensor& x) { return mean(unsqueeze(x, 0), 0); }},
    {"checkpoint of nothing", [](const Tensor& x) { return checkpoint([](const Tensor& v) { return v; }, x); }},
    {"dropout of 0", [](const Tensor& x) { return nn::dropout(x, 0.0); }},
    {"value of value_and_grad",
     [](const Tensor& x) { return value_and_grad([](const Tensor& v) { return sum(v); }, x).value; }},
    {"value of vjp", [](const Tensor& x) { return vjp([](const Tensor& v) { return v; }, x).value; }},
};
using Laid = std::pair<const char*, std::function<Tensor(const Tensor& p)>>;
const std::vector<Laid> laid = {
    {"dense", [](const Tensor& p) { return 2 * p; }},
    {"strided", [](const Tensor& p) { return transpose(2 * p); }},
    {"flipped", [](const Tensor& p) { return flip(2 * p, 1); }},
    {"a parameter's view", [](const Tensor& p) { return 2 * transpose(p); }},
    {"evaluated", [](const Tensor& p) { return transpose(evaluate(2 * p)); }},
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_gives_a_tensor_back_keeps_its_history) {
  for (const Size n : {Size{3}, Size{60}})
    for (const auto& [layout, lay] : laid)
      for (const Passing& p : passing)
        BOOST_TEST_CONTEXT(p.name << ", " << layout << ", of " << n) {
          const Parameter w = parameter(reshape(linspace(0.5, 2, n * n, f64), {n, n}));
          const Tensor y = p.f(lay(w));
          BOOST_TEST(y.requires_grad());
          BOOST_TEST(allclose(grad(sum(y) + sum(w), {w})[0], 3 * ones({n, n}, f64)));
        }
  const Tensor row = tensor({2.0, -1.0, 0.5});
  const Parameter w = parameter(2.0);  // one number, repeated
  const Tensor y = contiguous(expand(w, {3, 4}));
  BOOST_TEST(y.requires_grad());
  BOOST_TEST(grad(sum(y), {w})[0].item() == 12);
  BOOST_TEST(grad(sum(contiguous(expand(w, {60, 50})) * 1.0), {w})[0].item() == 3000);
  BOOST_TEST(
      jvp([](const Tensor& x) { return contiguous(transpose(x * x)); }, row * ones({3, 3}, f64), ones({3, 3}, f64))
          .tangent[0][1]
          .item() == 2 * row[0].item());
}

// What NoGrad has cut stays cut, whatever the result is used for: also where an op looks through a view.
BOOST_AUTO_TEST_CASE(what_is_cut_stays_cut) {
  using Use = std::pair<const char*, Tensor (*)(const Tensor& y)>;
  const std::vector<Use> uses = {
      {"y * 2", [](const Tensor& y) { return y * 2; }},
      {"sum", [](const Tensor& y) { return sum(y); }},
      {"transpose", [](const Tensor& y) { return transpose(y); }},
      {"matmul(y, c)", [](const Tensor& y) { return matmul(y, ones_like(y)); }},
      {"matmul(c, y)", [](const Tensor& y) { return matmul(ones_like(y), y); }},
      {"matmul(transpose(y), c)", [](const Tensor& y) { return matmul(transpose(y), ones_like(y)); }},
      {"linear(c, y)", [](const Tensor& y) { return linear(ones_like(y), y); }},
      {"linear(y, c)", [](const Tensor& y) { return linear(y, ones_like(y)); }},
  };
  std::size_t tried = 0;
  for (const Size n : {Size{3}, Size{60}})
    for (const auto& [layout, lay] : laid)
      for (const Passing& p : passing) {
        const Parameter w = parameter(reshape(linspace(0.5, 2, n * n, f64), {n, n}));
        const Tensor x = lay(w);
        Tensor y;
        {
          const NoGrad no_grad;
          y = p.f(x);
        }
        if (y.requires_grad() || y.dim() != 2) continue;
        for (const auto& [use, f] : uses) {
          ++tried;
          BOOST_TEST(!f(y).requires_grad(), p.name << ", " << layout << ", of " << n << ", in " << use);
        }
      }
  BOOST_TEST(tried > 1000u);
}

// ---- an op's result keeps its history where the slope is 0, too

namespace {

// Every row of the sweep's table leads to each of its operands: grad() gives numbers, not an Error.
void rows_keep_history(const std::vector<sweep::Row>& rows) {
  for (const sweep::Row& row : rows) {
    std::size_t tried = 0;
    for (const sweep::Case& c : cases_of(row)) {
      bool skip = c.large();
      for (const sweep::Layout l : c.layouts) skip |= l != sweep::Layout::dense;
      for (const sweep::Refusal& r : row.refused) skip = skip || r.of(c.shapes[0]);
      if (skip) continue;
      ++tried;
      BOOST_TEST_CONTEXT(c.name()) {
        sweep::Draws draws(c.name());
        Tensors x;
        for (std::size_t k = 0; k < c.shapes.size(); ++k)
          x.push_back(watch(
              laid_out(sample(row.domains[k], c.shapes[k], c.layouts[k], k, draws), c.shapes[k], f64, c.layouts[k])));
        const Tensor y = row.f(x);
        BOOST_TEST(y.requires_grad());
        try {
          const Tensors g = grad(sum(y), Wrt(x));
          for (std::size_t k = 0; k < x.size(); ++k) BOOST_TEST((g[k].shape() == x[k].shape()));
        } catch (const Error& e) {
          BOOST_ERROR(e.what());
        }
      }
    }
    BOOST_TEST(tried > 0u, row.name);
  }
}

// What is flat, or folds to a constant: the slope is 0 or not, but x leads there.
// clang-format off
const std::vector<Passing> flat = {
    {"dropout of 1", [](const Tensor& x) { return nn::dropout(x, 1.0); }},
    {"dropout of half", [](const Tensor& x) { return nn::dropout(x, 0.5); }},
    {"x * 0", [](const Tensor& x) { return x * 0; }},
    {"0 * x + 1", [](const Tensor& x) { return 0.0 * x + 1; }},
    {"x * zeros", [](const Tensor& x) { return x * zeros(x.shape(), f64); }},
    {"0 / x", [](const Tensor& x) { return 0.0 / (x + 1); }},
    {"x - x", [](const Tensor& x) { return x - x; }},
    {"pow 0", [](const Tensor& x) { return pow(x, 0.0); }},
    {"pow of a tensor 0", [](const Tensor& x) { return pow(x, zeros(x.shape(), f64)); }},
    {"1 to the x", [](const Tensor& x) { return pow(1.0, x); }},
    {"sign", [](const Tensor& x) { return sign(x); }},
    {"step", [](const Tensor& x) { return step(x); }},
    {"floor", [](const Tensor& x) { return floor(x); }},
    {"ceil", [](const Tensor& x) { return ceil(x); }},
    {"round", [](const Tensor& x) { return round(x); }},
    {"half_step", [](const Tensor& x) { return half_step(x, 0.0); }},
    {"clamp from outside", [](const Tensor& x) { return clamp(x, 100.0, 200.0); }},
    {"clamp of low over high", [](const Tensor& x) { return clamp(x, 2.0, 1.0); }},
    {"at_least", [](const Tensor& x) { return at_least(x, 100.0); }},
    {"at_most", [](const Tensor& x) { return at_most(x, -100.0); }},
    {"maximum", [](const Tensor& x) { return maximum(x, 100.0); }},
    {"minimum", [](const Tensor& x) { return minimum(x, -100.0); }},
    {"relu of negative", [](const Tensor& x) { return relu(x - 100); }},
    {"leaky_relu of slope 0", [](const Tensor& x) { return nn::leaky_relu(x - 100, 0.0); }},
    {"leaky_relu of slope 1", [](const Tensor& x) { return nn::leaky_relu(x, 1.0); }},
    {"elu of 0", [](const Tensor& x) { return nn::elu(x - 100, 0.0); }},
    {"sigmoid, saturated", [](const Tensor& x) { return sigmoid(x + 1000); }},
    {"gelu", [](const Tensor& x) { return nn::gelu(x - 1000); }},
    {"silu", [](const Tensor& x) { return nn::silu(x - 1000); }},
    {"where never", [](const Tensor& x) { return where(x > 100.0, x, 0.0); }},
    {"where by one boolean", [](const Tensor& x) { return where(tensor(false), x, 0.0); }},
    {"where of one boolean", [](const Tensor& x) { return where(tensor(true), 0.0, x); }},
    {"log_or_0", [](const Tensor& x) { return log_or_0(x); }},
    {"norm of 0", [](const Tensor& x) { return norm(x * 0); }},
    {"stddev of alike", [](const Tensor& x) { return stddev(x * 0); }},
    {"var of alike", [](const Tensor& x) { return var(x * 0); }},
    {"prod with zeros", [](const Tensor& x) { return prod(x * 0); }},
    {"amax", [](const Tensor& x) { return amax(x * 0); }},
    {"mean", [](const Tensor& x) { return mean(x * 0); }},
    {"sum over no axes", [](const Tensor& x) { return sum(x, {}); }},
    {"amax over no axes", [](const Tensor& x) { return amax(x, {}); }},
    {"sum of an empty slice", [](const Tensor& x) { return sum(slice(x, 0, 0, 0)); }},
    {"an empty slice", [](const Tensor& x) { return slice(x, 0, 0, 0); }},
    {"prod of an empty slice", [](const Tensor& x) { return prod(slice(x, 0, 0, 0)); }},
    {"cumsum", [](const Tensor& x) { return cumsum(x, 0); }},
    {"softmax", [](const Tensor& x) { return softmax(x, 0); }},
    {"softmax of one", [](const Tensor& x) { return softmax(unsqueeze(x, 0), 0); }},
    {"log_softmax of one", [](const Tensor& x) { return log_softmax(unsqueeze(x, 0), 0); }},
    {"logsumexp", [](const Tensor& x) { return logsumexp(x, 0); }},
    {"pad", [](const Tensor& x) { return pad(x, 0, 1, 2); }},
    {"index_select of none", [](const Tensor& x) { return index_select(x, 0, zeros({0}, i64)); }},
    {"scatter_add", [](const Tensor& x) { return scatter_add(x, 0, zeros(x.shape(), i64), 3); }},
    {"index_add", [](const Tensor& x) { return index_add(x, 0, zeros({x.size(0)}, i64), 3); }},
    {"matmul by zeros", [](const Tensor& x) { return matmul(x, zeros({x.size(1), 2}, f64)); }},
    {"matmul by nothing", [](const Tensor& x) { return matmul(transpose(slice(x, 0, 0, 0)), zeros({0, 2}, f64)); }},
    {"linear by zeros", [](const Tensor& x) { return linear(x, zeros({2, x.size(1)}, f64), zeros({2}, f64)); }},
    {"mse_loss of itself", [](const Tensor& x) { return nn::mse_loss(x, x.detach()); }},
    {"l1_loss of itself", [](const Tensor& x) { return nn::l1_loss(x, x.detach()); }},
    {"huber_loss of itself", [](const Tensor& x) { return nn::huber_loss(x, x.detach()); }},
    {"smooth_l1_loss of itself", [](const Tensor& x) { return nn::smooth_l1_loss(x, x.detach()); }},
    {"cast to f32", [](const Tensor& x) { return cast(x, f32); }},
    {"expand of an empty one", [](const Tensor& x) { return expand(slice(x, 0, 0, 0), {0, x.size(1)}); }},
    {"stack with constants", [](const Tensor& x) { return stack({x, zeros_like(x)}); }},
};
// clang-format on

}  // namespace

BOOST_AUTO_TEST_CASE(results_of_slope_0_keep_their_history) {
  for (const Shape& shape : {Shape{3, 4}, Shape{50, 40}, Shape{0, 4}, Shape{1, 1}})
    for (const Passing& p : flat)
      BOOST_TEST_CONTEXT(p.name << " of " << to_string(shape)) {
        Parameter w = parameter(0.25 + rand(shape, f64));
        Tensor y;
        try {
          y = p.f(w * 2.0);
        } catch (const Error& e) {  // nothing has no mean
          BOOST_TEST(shape.numel() <= 1, e.what());
          continue;
        }
        BOOST_TEST(y.requires_grad());
        try {
          const Tensor g = grad(sum(y), {w})[0];
          BOOST_TEST((g.shape() == shape));
          BOOST_TEST(allclose(g * 0, zeros(shape, f64)));  // finite
          BOOST_TEST((value_and_grad([&](const Tensor& x) { return sum(p.f(x)); }, w * 2.0).grad.shape() == shape));
          sum(y).backward();
          BOOST_TEST((w.grad().defined() && w.grad().shape() == shape));
        } catch (const Error& e) {
          BOOST_ERROR(e.what());
        }
      }
}

BOOST_AUTO_TEST_CASE(every_op_keeps_its_history) {
  rows_keep_history(sweep::elementwise_rows());
  rows_keep_history(sweep::select_rows());
  rows_keep_history(sweep::reduction_rows());
  rows_keep_history(sweep::shape_rows());
  rows_keep_history(sweep::index_rows());
  rows_keep_history(sweep::product_rows());
}
