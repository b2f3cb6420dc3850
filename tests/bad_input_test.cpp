// Bad input to tensors, ops and derivatives: one Error each, with the user's line, and nothing changes.
#include "bad_input.hpp"

#include <cmath>
#include <limits>

#include <xgrad/autodiff/memory.hpp>

using namespace xgrad;
using bad_input::Table;

namespace {

constexpr Size huge = Size{1} << 62, most = std::numeric_limits<Size>::max(), least = std::numeric_limits<Size>::min();
const double nan_ = std::nan("");

struct Objects {
  Tensor m = evaluate(randn({2, 3})), v = evaluate(randn({3})), wide = evaluate(randn({40, 50}));
  Tensor d = evaluate(randn({3}, f64)), s = tensor(2.0f), i = tensor({0, 2, 1}), b = v > 0, none,
         nothing = zeros({0, 3});
  Tensor pending = tanh(wide);
  Parameter w = parameter(randn({3})), unset;
  Tensor loss = sum(w * v), vector = w * v, done = sum(w * w);
  Objects() { done.backward(); }
  std::string state() const {
    std::string all = bad_input::record();
    for (const Tensor* t : {&m, &v, &wide, &d, &s, &i, &b, &nothing, &loss, &vector, &done}) all += bad_input::bits(*t);
    all += bad_input::bits(w.value()) + bad_input::bits(w.grad());
    all += fmt::format("{} {} {}", none.defined(), unset.defined(), pending.pending());
    return all;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(shapes_and_dtypes_of_arithmetic) {
  const Objects o;
  Table t(__FILE__, [&] { return o.state(); });
  t.add([&] { o.m + o.wide; }, {"[add]", "(2, 3) and (40, 50)", "equal or 1"});
  t.add([&] { o.m - ones({2}); }, {"[sub]", "(2, 3) and (2,)"});
  t.add([&] { mul(o.wide, o.m); }, {"[mul]", "do not broadcast"});
  t.add([&] { maximum(o.m, ones({4})); }, {"[maximum]", "(4,)"});
  t.add([&] { static_cast<void>(o.m < ones({4})); }, {"[less]", "(4,)"});
  t.add([&] { logical_and(o.b, ones({4}) > 0); }, {"[logical_and]", "(4,)"});
  t.add([&] { atan2(o.m, ones({4})); }, {"[atan2]", "(4,)"});
  t.add([&] { clamp(o.m, zeros({4}), 1); }, {"[clamp]", "(2, 3) and (4,)"});
  t.add([&] { allclose(o.m, ones({4})); }, {"[allclose]", "(4,)"});
  t.add([&] { where(o.b, o.m, ones({4})); }, {"[where]", "(2, 3) and (4,)"});
  t.add([&] { where(o.m, 1.0f, 0.0f); }, {"[where]", "boolean", "f32", "x > 0"});
  t.add([&] { floor_divide(o.i, 0); }, {"[floor_divide]", "integers by zero", "where"});
  t.add([&] { floor_divide(o.i, o.i); }, {"[floor_divide]", "by zero"});
  t.add([&] { remainder(tensor({1}), arange(5000) - 4999); }, {"[remainder]", "by zero"});
  t.add([&] { remainder(5, o.i - o.i); }, {"[remainder]", "by zero"});
  t.check();
}

BOOST_AUTO_TEST_CASE(empty_tensors) {
  const Objects o;
  const Tensor& e = o.none;
  Tensor hold;
  Parameter p;
  Table t(__FILE__, [&] { return o.state() + bad_input::bits(hold); });
#define EMPTY(expression, op) t.add([&] { (void)(expression); }, {op, "empty"})
  EMPTY(e + o.m, "[add]");
  EMPTY(o.m * e, "[mul]");
  EMPTY(1.0 / e, "[div]");
  EMPTY(-e, "[neg]");
  EMPTY(e < 1, "[less]");
  EMPTY(tanh(e), "[tanh]");
  EMPTY(clamp(o.m, e, 1), "[clamp]");
  EMPTY(isnan(e), "[isnan]");
  EMPTY(isfinite(e), "[isfinite]");
  EMPTY(allclose(o.m, e), "[allclose]");
  EMPTY(where(e, o.m, o.m), "[where]");
  EMPTY(where(o.b, o.m, e), "[where]");
  EMPTY(logical_not(e), "[logical_not]");
  EMPTY(cast(e, f64), "[cast]");
  EMPTY(sum(e), "[sum]");
  EMPTY(sum(e, {0, 1}), "[sum]");
  EMPTY(mean(e), "[mean]");
  EMPTY(mean(e, 0), "[mean]");
  EMPTY(var(e, 0), "[var]");
  EMPTY(var(e), "[var]");
  EMPTY(stddev(e), "[stddev]");
  EMPTY(stddev(e, 0), "[stddev]");
  EMPTY(prod(e), "[prod]");
  EMPTY(prod(e, 0), "[prod]");
  EMPTY(amax(e), "[amax]");
  EMPTY(amax(e, {0, 1}), "[amax]");
  EMPTY(amin(e, 0), "[amin]");
  EMPTY(argmax(e, 0), "[argmax]");
  EMPTY(argmin(e), "[argmin]");
  EMPTY(all(e), "[all]");
  EMPTY(logsumexp(e, 0), "[logsumexp]");
  EMPTY(softmax(e, 0), "[softmax]");
  EMPTY(log_softmax(e, 0), "[log_softmax]");
  EMPTY(log_softmax(e, 0, e), "[log_softmax]");
  EMPTY(standardize(e), "[standardize]");
  EMPTY(divide_by_rms(e), "[divide_by_rms]");
  EMPTY(cumsum(e, 0), "[cumsum]");
  EMPTY(norm(e), "[norm]");
  EMPTY(reshape(e, {1}), "[reshape]");
  EMPTY(flatten(e), "[flatten]");
  EMPTY(transpose(e), "[transpose]");
  EMPTY(permute(e, {0}), "[permute]");
  EMPTY(squeeze(e, 0), "[squeeze]");
  EMPTY(unsqueeze(e, 0), "[unsqueeze]");
  EMPTY(expand(e, {1}), "[expand]");
  EMPTY(flip(e, 0), "[flip]");
  EMPTY(roll(e, 1, 0), "[roll]");
  EMPTY(slice(e, 0, 0), "[slice]");
  EMPTY(pad(e, 0, 1, 1), "[pad]");
  EMPTY(concat({o.m, e}), "[concat]");
  EMPTY(stack({e, o.m}), "[stack]");
  EMPTY(stack({o.m, e}), "[stack]");
  EMPTY(index_select(e, 0, o.i), "[index_select]");
  EMPTY(index_select(o.m, 0, e), "[index_select]");
  EMPTY(gather(o.m, 0, e), "[gather]");
  EMPTY(scatter_add(e, 0, o.i, 3), "[scatter_add]");
  EMPTY(index_add(o.m, 0, e, 3), "[index_add]");
  EMPTY(one_hot(e, 3), "[one_hot]");
  EMPTY(matmul(o.m, e), "[matmul]");
  EMPTY(dot(e, o.v), "[dot]");
  EMPTY(outer(o.v, e), "[outer]");
  EMPTY(linear(e, o.m), "[linear]");
  EMPTY(linear(o.m, e), "[linear]");
  EMPTY(zeros_like(e), "[zeros_like]");
  EMPTY(evaluate(e), "[evaluate]");
  EMPTY(evaluate(o.m, e), "[evaluate]");
  EMPTY(e.shape(), "[shape]");
  EMPTY(e.dtype(), "[dtype]");
  EMPTY(e.dim(), "[shape]");
  EMPTY(e.size(0), "[size]");
  EMPTY(e.numel(), "[numel]");
  EMPTY(e.item(), "[item]");
  EMPTY(e.to_vector<float>(), "[numel]");
  EMPTY(e[0], "[x[i]]");
  EMPTY(e.detach(), "[detach]");
  EMPTY(hold += 1, "[add]");
  EMPTY(hold -= o.m, "[sub]");
  EMPTY(p *= 2, "[mul]");
  EMPTY(p = e, "[parameter]");
  EMPTY(p.item(), "[item]");
  EMPTY(p[0], "[x[i]]");
  EMPTY(p.detach(), "[detach]");
  EMPTY(p.set_grad(o.m), "[set_grad]");
  EMPTY(parameter(e), "[parameter]");
  EMPTY((Parameters{p}), "[Parameters]");
  EMPTY(contiguous(e), "[contiguous]");
  t.add([&] { readable(e); }, {"[readable]", "contiguous()"});
  EMPTY(e.backward(), "[backward]");
  EMPTY(grad(e, {o.w}), "[grad]");
  EMPTY(grad(o.loss, {e}), "[grad]");
  EMPTY(grad(o.loss, {p}), "[grad]");
  EMPTY(watch(e), "[watch]");
  EMPTY(tape(e), "[tape]");
  EMPTY(jvp([](const Tensor& x) { return x; }, o.v, e), "[jvp]");
  EMPTY(value_and_grad([](const Tensor&) { return Tensor(); }, o.v), "[value_and_grad]");
  EMPTY(vjp([](const Tensor&) { return Tensor(); }, o.v), "[vjp]");
  EMPTY(hvp(Function(), o.v, o.v), "[hvp]");
#undef EMPTY
  t.check();
}

BOOST_AUTO_TEST_CASE(axes_and_reductions) {
  const Objects o;
  Table t(__FILE__, [&] { return o.state(); });
  t.add([&] { sum(o.m, 2); }, {"[sum]", "axis 2 of a tensor of 2 axes", "-2 ... 1"});
  t.add([&] { sum(o.m, -3); }, {"[sum]", "axis -3"});
  t.add([&] { sum(o.m, most); }, {"[sum]", "axis 9223372036854775807"});
  t.add([&] { sum(o.m, least); }, {"[sum]", "axis -9223372036854775808"});
  t.add([&] { sum(o.s, 0); }, {"[sum]", "axis 0 of a 0-d tensor"});
  t.add([&] { sum(o.m, {0, 0}); }, {"[sum]", "axis 0 is named twice"});
  t.add([&] { mean(o.m, {1, -1}); }, {"[mean]", "axis -1 is named twice"});
  t.add([&] { mean(o.m, 5); }, {"[mean]", "axis 5"});
  t.add([&] { mean(o.nothing); }, {"[mean]", "no elements"});
  t.add([&] { mean(o.nothing, 0); }, {"[mean]", "no elements"});
  t.add([&] { var(o.m, 2); }, {"[var]", "axis 2"});
  t.add([&] { var(o.m, 0, 2); }, {"[var]", "2 elements with correction 2"});
  t.add([&] { var(o.m, 0, least); }, {"[var]", "correction"});
  t.add([&] { var(o.s); }, {"[var]", "1 elements with correction 1"});
  t.add([&] { stddev(o.nothing); }, {"[stddev]", "0 elements"});
  t.add([&] { stddev(o.m, 0, 2); }, {"[stddev]", "2 elements with correction 2"});
  t.add([&] { prod(o.m, 2); }, {"[prod]", "axis 2"});
  t.add([&] { amax(o.nothing); }, {"[amax]", "no elements"});
  t.add([&] { amin(o.nothing, 0); }, {"[amin]", "no elements"});
  t.add([&] { amax(o.b); }, {"[amax]", "boolean", "any and all"});
  t.add([&] { amax(o.m, {0, -2}); }, {"[amax]", "axis -2 is named twice"});
  t.add([&] { amin(o.nothing, {0, 1}); }, {"[amin]", "no elements"});
  t.add([&] { argmax(o.nothing); }, {"[argmax]", "no elements"});
  t.add([&] { amax(o.m, -3); }, {"[amax]", "axis -3"});
  t.add([&] { argmax(o.m, 2); }, {"[argmax]", "axis 2"});
  t.add([&] { argmin(o.nothing, 0); }, {"[argmin]", "no elements"});
  t.add([&] { logsumexp(o.m, 2); }, {"axis 2"});
  t.add([&] { softmax(o.m, 2); }, {"[softmax]", "axis 2"});
  t.add([&] { softmax(o.s, 0); }, {"[softmax]", "axis 0 of a 0-d tensor"});
  t.add([&] { cumsum(o.m, 2); }, {"[cumsum]", "axis 2"});
  t.check();
}

BOOST_AUTO_TEST_CASE(views) {
  const Objects o;
  Table t(__FILE__, [&] { return o.state(); });
  t.add([&] { reshape(o.m, {4, 2}); }, {"[reshape]", "6 elements, of shape (2, 3), do not fill (4, 2)"});
  t.add([&] { reshape(o.m, {-1, -1}); }, {"[reshape]", "(-1, -1)", "one may be -1"});
  t.add([&] { reshape(o.m, {-2, 3}); }, {"[reshape]", "(-2, 3)", "0 or more"});
  t.add([&] { reshape(o.m, {4, -1}); }, {"[reshape]", "do not fill (4, -1)"});
  t.add([&] { reshape(o.m, {0, -1}); }, {"[reshape]", "do not fill"});
  t.add([&] { reshape(o.nothing, {0, -1}); }, {"[reshape]", "do not fill"});
  t.add([&] { reshape(o.m, {huge, 4}); }, {"[reshape]", "4611686018427387904"});
  t.add([&] { reshape(o.nothing, {0, huge, 4}); }, {"[reshape]", "more elements than memory"});
  t.add([&] { reshape(o.nothing, {huge, 4, 0}); }, {"[reshape]"});
  t.add([&] { flatten(o.m, 2); }, {"[flatten]", "axis 2"});
  t.add([&] { transpose(o.m, 0, 2); }, {"[transpose]", "axis 2"});
  t.add([&] { transpose(o.v, -2, 0); }, {"[transpose]", "axis -2"});
  t.add([&] { permute(o.m, {0}); }, {"[permute]", "each of 2 axes once, got (0,)"});
  t.add([&] { permute(o.m, {0, 0}); }, {"[permute]", "once, got (0, 0)"});
  t.add([&] { permute(o.m, {0, 2}); }, {"[permute]", "axis 2"});
  t.add([&] { permute(o.m, {0, 1, 2}); }, {"[permute]", "each of 2 axes once"});
  t.add([&] { squeeze(o.m, 0); }, {"[squeeze]", "an extent of 1 at axis 0, got shape (2, 3)"});
  t.add([&] { squeeze(o.m, 2); }, {"[squeeze]", "axis 2"});
  t.add([&] { unsqueeze(o.m, 3); }, {"[unsqueeze]", "axis 3 of a tensor of 3 axes"});
  t.add([&] { expand(o.m, {3, 3}); }, {"[expand]", "(2, 3) and (3, 3)"});
  t.add([&] { expand(o.m, {3}); }, {"[expand]", "(2, 3) does not expand to (3,)"});
  t.add([&] { expand(o.v, {-1, 3}); }, {"[expand]", "negative", "(-1, 3)"});
  t.add([&] { expand(o.s, {huge, 4}); }, {"[expand]", "more elements than memory"});
  t.add([&] { flip(o.m, 2); }, {"[flip]", "axis 2"});
  t.add([&] { flip(o.s, 0); }, {"[flip]", "axis 0"});
  t.add([&] { slice(o.m, 2, 0); }, {"[slice]", "axis 2"});
  t.add([&] { slice(o.m, 0, 3); }, {"[slice]", "3 ... 2 of axis 0 of (2, 3)", "0 <= begin <= end <= 2"});
  t.add([&] { slice(o.m, 0, -3); }, {"[slice]", "-3"});
  t.add([&] { slice(o.m, 1, 2, 1); }, {"[slice]", "2 ... 1", "begin <= end"});
  t.add([&] { slice(o.m, 1, 0, 4); }, {"[slice]", "0 ... 4"});
  t.add([&] { slice(o.m, 1, 0, -4); }, {"[slice]", "-4"});
  t.add([&] { slice(o.m, 1, least, most); }, {"[slice]", "-9223372036854775808"});
  t.add([&] { slice(o.m, 1, 0, 2, 0); }, {"[slice]", "a step of 1 or more, got 0", "flip"});
  t.add([&] { slice(o.m, 1, 0, 2, -1); }, {"[slice]", "got -1"});
  t.add([&] { o.m[2]; }, {"[x[i]]", "index 2", "(2, 3)", "-2 ... 1"});
  t.add([&] { o.m[-3]; }, {"[x[i]]", "index -3"});
  t.add([&] { o.s[0]; }, {"[x[i]]", "0-d", "item()"});
  t.add([&] { o.m[std::numeric_limits<std::uint64_t>::max()]; }, {"[index]", "18446744073709551615"});
  t.add([&] { pad(o.m, 2, 1, 1); }, {"[pad]", "axis 2"});
  t.add([&] { pad(o.m, 0, -1, 1); }, {"[pad]", "0 or more, got -1 and 1"});
  t.add([&] { pad(o.m, 0, most, 1); }, {"[pad]"});
  t.add([&] { pad(o.m, 0, huge, 0); }, {"[pad]", "more elements than memory"});
  t.add([&] { concat({}); }, {"[concat]", "one tensor or more, got none"});
  t.add([&] { concat({o.m, o.v}); }, {"[concat]", "(2, 3) and (3,)"});
  t.add([&] { concat({o.m, o.wide}, 1); }, {"[concat]", "off axis 1"});
  t.add([&] { concat({o.m, o.m}, 2); }, {"[concat]", "axis 2"});
  t.add([&] { concat({o.s, o.s}); }, {"[concat]", "0-d", "stack"});
  t.add([&] { sum(o.s, 0); }, {"[sum]", "axis 0 of a 0-d tensor"});
  t.add([&] { sum(o.v, 1); }, {"[sum]", "axis 1 of a vector", "-1 or 0"});
  t.add([&] { zeros({0, 3})[0]; }, {"[x[i]]", "index 0", "(0, 3)", "no rows"});
  t.add([&] { index_select(zeros({0, 3}), 0, tensor({0})); }, {"[index_select]", "index 0", "no elements"});
  t.add([&] { gather(zeros({0}), 0, tensor({0})); }, {"[gather]", "index 0", "no elements"});
  t.add([&] { o.s.shape()[0]; }, {"[shape]", "no extent 0", "0-d"});
  t.add([&] { o.v.shape()[1]; }, {"[shape]", "no extent 1 in (3,)"});
  t.add([&] { permute(o.s, {0}); }, {"[permute]", "got (0,)"});
  t.add([&] { transpose(o.v, 0, 1); }, {"[transpose]", "axis 1 of a vector"});
  t.add([&] { concat({zeros({huge / 64, 0}), zeros({huge / 64, 0}), zeros({huge / 64, 0})}); }, {"[concat]", "more"});
  t.add(
      [&] {
        concat({expand(o.s, {huge / 64}), expand(o.s, {huge / 64}), expand(o.s, {huge / 64})});
      },
      {"[concat]", "more elements than memory"});
  t.add([&] { stack({}); }, {"[stack]", "got none"});
  t.add([&] { stack({o.m, o.v}); }, {"[stack]", "shapes differ: (2, 3) and (3,)"});
  t.add([&] { stack({o.m, o.m}, 3); }, {"[stack]", "axis 3"});
  t.add([&] { stack({expand(o.s, {huge / 64}), expand(o.s, {huge / 64})}); }, {"[stack]", "more"});
  t.add([&] { logsumexp(o.m, 4); }, {"[logsumexp]", "axis 4"});
  t.check();
}

BOOST_AUTO_TEST_CASE(indices) {
  const Objects o;
  const Tensor far = tensor({0, 3}), before = tensor({0, -1}), pair = tensor({{0, 1, 2}, {0, 1, 3}});
  Table t(__FILE__, [&] { return o.state(); });
  t.add([&] { index_select(o.m, 0, far); }, {"[index_select]", "index 3 at position 1", "0 ... 1"});
  t.add([&] { index_select(o.m, 1, before); }, {"[index_select]", "index -1 at position 1", "0 ... 2"});
  t.add([&] { index_select(o.m, 2, o.i); }, {"[index_select]", "axis 2"});
  t.add([&] { index_select(o.m, 0, pair); }, {"[index_select]", "a vector of indices, got shape (2, 3)"});
  t.add([&] { index_select(o.m, 0, o.v); }, {"[index_select]", "i64 indices, got f32", "cast(index, i64)"});
  t.add([&] { index_select(o.m, 0, 0); }, {"[index_select]", "a vector of indices, got shape ()"});
  t.add([&] { index_select(o.nothing, 0, o.i); }, {"[index_select]", "index 0"});
  t.add([&] { gather(o.m, 1, pair); }, {"[gather]", "index 3 at position 5", "0 ... 2"});
  t.add([&] { gather(o.m, 0, o.i); }, {"[gather]", "(3,)", "(2, 3)"});
  t.add([&] { gather(o.m, 1, o.m); }, {"[gather]", "i64 indices, got f32"});
  t.add([&] { gather(o.m, 2, pair); }, {"[gather]", "axis 2"});
  t.add([&] { scatter_add(o.m, 1, pair, 3); }, {"[scatter_add]", "index 3"});
  t.add([&] { scatter_add(o.m, 1, o.i, 3); }, {"[scatter_add]", "(2, 3)", "(3,)"});
  t.add([&] { scatter_add(o.m, 1, pair, -1); }, {"[scatter_add]", "extent of 0 or more, got -1"});
  t.add([&] { scatter_add(o.m, 1, pair, huge); }, {"[scatter_add]", "more elements than memory"});
  t.add([&] { scatter_add(o.b, 0, o.i, 3); }, {"[scatter_add]", "numbers, got boolean"});
  t.add([&] { index_add(o.m, 0, far, 2); }, {"[index_add]", "index 3"});
  t.add([&] { index_add(o.m, 0, o.i, 3); }, {"[index_add]", "2 indices, got shape (3,)"});
  t.add([&] { index_add(o.m, 0, tensor({0, 1}), least); }, {"[index_add]", "0 or more"});
  t.add([&] { index_add(o.m, 0, tensor({0, 1}), most); }, {"[index_add]", "more elements than memory"});
  t.add([&] { one_hot(before, 3); }, {"[one_hot]", "index -1", "0 ... 2"});
  t.add([&] { one_hot(far, 3); }, {"[one_hot]", "index 3"});
  t.add([&] { one_hot(o.i, 0); }, {"[one_hot]", "1 class or more, got 0"});
  t.add([&] { one_hot(o.i, huge); }, {"more elements than memory"});
  t.add([&] { one_hot(o.v, 3); }, {"[one_hot]", "i64 indices, got f32"});
  t.check();
}

BOOST_AUTO_TEST_CASE(products) {
  const Objects o;
  const Tensor column = expand(o.s, {Size{1} << 30, 1});
  Table t(__FILE__, [&] { return o.state(); });
  t.add([&] { matmul(o.m, o.m); }, {"[matmul]", "inner sizes differ: (2, 3) x (2, 3)"});
  t.add([&] { matmul(o.m, ones({4})); }, {"[matmul]", "(2, 3) x (4,)"});
  t.add([&] { matmul(ones({2}), transpose(o.m)); }, {"[matmul]", "(2,) x (3, 2)"});
  t.add([&] { matmul(o.m, o.s); }, {"[matmul]", "(2, 3) x ()", "* multiplies"});
  t.add([&] { matmul(2.0f, o.m); }, {"[matmul]", "() x (2, 3)"});
  t.add([&] { matmul(ones({3, 2, 3}), ones({2, 3, 4})); }, {"[matmul]", "(3,) and (2,)"});
  t.add([&] { matmul(o.i, o.i); }, {"[matmul]", "floats, got i64", "cast(x, f32)"});
  t.add([&] { matmul(expand(column, {Size{1} << 30, 1}), expand(o.s, {1, Size{1} << 30})); }, {"[matmul]", "more"});
  t.add([&] { dot(o.v, ones({4})); }, {"[dot]", "(3,) and (4,)"});
  t.add([&] { dot(o.m, o.m); }, {"[dot]", "two vectors", "(2, 3)"});
  t.add([&] { linear(o.m, ones({4, 2})); }, {"[linear]", "(2, 3) and (4, 2)", "[out, in]"});
  t.add([&] { linear(o.m, o.v); }, {"[linear]", "[out, in]"});
  t.add([&] { linear(o.s, o.m); }, {"[linear]", "() and (2, 3)"});
  t.add([&] { linear(o.m, o.m, ones({3})); }, {"[linear]", "bias [2]", "(3,)"});
  t.add([&] { linear(o.m, o.m, 1.0f); }, {"[linear]", "bias [2]", "a number"});
  t.add([&] { linear(ones({2, 3}, i64), ones({2, 3}, i64)); }, {"[linear]", "floats, got i64", "cast(x, f32)"});
  t.add([&] { outer(o.m, o.v); }, {"[outer]", "two vectors", "(2, 3)"});
  t.add([&] { outer(flatten(column), flatten(column)); }, {"[outer]", "more elements than memory"});
  t.check();
}

BOOST_AUTO_TEST_CASE(makers) {
  const Objects o;
  Table t(__FILE__, [&] { return o.state(); });
  t.add([&] { zeros({huge, 4}); }, {"[zeros]", "(4611686018427387904, 4)", "more elements than memory"});
  t.add([&] { zeros({0, huge, 4}); }, {"[zeros]", "more elements than memory"});
  t.add([&] { ones({-1}); }, {"[ones]", "not be negative, got (-1,)"});
  t.add([&] { zeros({std::uint64_t{1} << 63}); }, {"[shape]", "9223372036854775808 does not fit"});
  t.add([&] { full({2, -3}, 1.5); }, {"[full]", "negative"});
  t.add([&] { full({2}, {1.0, 2.0}); }, {"[full]", "a number, got a list", "tensor({...})"});
  t.add([&] { full({huge}, 1); }, {"[full]", "more elements"});
  t.add([&] { full({2}, 0.5, i64); }, {"[full]", "0.5", "i64"});
  t.add([&] { full({2}, nan_, i64); }, {"[full]", "nan", "i64"});
  t.add([&] { full({2}, 1e300, i64); }, {"[full]", "i64"});
  t.add([&] { full_like(o.i, 2.5); }, {"[full_like]", "2.5", "i64"});
  t.add([&] { rand({huge}); }, {"[rand]", "more elements"});
  t.add([&] { rand({3}, i64); }, {"[rand]", "f32 or f64, got i64"});
  t.add([&] { randn({-1}); }, {"[randn]", "negative"});
  t.add([&] { randn({2}, boolean); }, {"[randn]", "got boolean"});
  t.add([&] { randint(3, 3, {2}); }, {"[randint]", "low < high, got 3 and 3"});
  t.add([&] { randint(most, least, {2}); }, {"[randint]", "low < high"});
  t.add([&] { randint(0, 2, {huge}); }, {"[randint]", "more elements"});
  t.add([&] { randperm(-1); }, {"[randperm]", "0 or more, got -1"});
  t.add([&] { randperm(most); }, {"[randperm]", "more elements"});
  t.add([&] { arange(-1); }, {"[arange]", "begin <= end", "from 0 to -1"});
  t.add([&] { arange(3, 2); }, {"[arange]", "begin <= end", "from 3 to 2"});
  t.add([&] { arange(least, most); }, {"[arange]", "2^63"});
  t.add([&] { linspace({0, 1}, 1, 3); }, {"[linspace]", "a number, got a list"});
  t.add([&] { full_like(o.m, {1, 2}); }, {"[full_like]", "a number, got a list"});
  t.add([&] { Shape(std::vector<std::uint64_t>{std::uint64_t{1} << 63}); }, {"[shape]", "does not fit"});
  t.add([&] { arange(most); }, {"[arange]", "more elements"});
  t.add([&] { linspace(0, 1, -1); }, {"[linspace]", "0 or more", "-1"});
  t.add([&] { linspace(0, 1, 5, i64); }, {"[linspace]", "floats", "i64"});
  t.add([&] { linspace(0, 1, most); }, {"[linspace]", "more elements"});
  t.add([&] { eye(-1); }, {"[eye]", "negative"});
  t.add([&] { eye(huge); }, {"[eye]", "more elements"});
  t.add([&] { tensor({{1, 2}, {3}}); }, {"[tensor]", "lists of different lengths"});
  t.add([&] { tensor({{1, 2}, 3}); }, {"[tensor]"});
  t.add([&] { tensor({1, {2, 3}}); }, {"[tensor]"});
  t.add([&] { tensor(std::vector<float>{1, 2, 3}, {2, 2}); }, {"[tensor]", "3 numbers do not fill the shape (2, 2)"});
  t.add([&] { tensor(std::vector<int>{}, {huge, 4}); }, {"[tensor]", "(4611686018427387904, 4)"});
  t.add([&] { tensor(std::vector<int>{1}, {-1, -1}); }, {"[tensor]", "(-1, -1)"});
  t.add([&] { tensor(std::vector<std::uint64_t>{~std::uint64_t{0}}); }, {"[tensor]", "18446744073709551615"});
  t.add([&] { from_memory(nullptr, {-2}, f32); }, {"[from_memory]", "negative"});
  t.add([&] { from_memory(nullptr, {2}, f32); }, {"[from_memory]", "null"});
  t.add([&] { o.m.item(); }, {"[item]", "one element, got shape (2, 3)", "to_vector"});
  t.add([&] { o.nothing.item(); }, {"[item]", "(0, 3)"});
  t.add([&] { o.w.item(); }, {"[item]", "(3,)"});
  t.add([&] { tensor({4294967297}).to_vector<int>(); }, {"[to_vector]", "4294967297 does not fit", "4-byte"});
  t.add([&] { tensor({1e30}).to_vector<int>(); }, {"[to_vector]", "1e+30 does not fit", "4-byte"});
  t.add([&] { tensor({std::nan("")}).to_vector<std::int8_t>(); }, {"[to_vector]", "nan does not fit", "1-byte"});
  t.add([&] { Tensors().back(); }, {"[Tensors]", "in a list of 0"});
  t.add([&] { tensor({1, 300}).to_vector<unsigned char>(); }, {"[to_vector]", "300 does not fit", "1-byte"});
  t.add([&] { tensor({-1}).to_vector<std::size_t>(); }, {"[to_vector]", "-1 does not fit"});
  t.add([&] { tensor({1e300}).to_vector<Size>(); }, {"[to_vector]", "1e+300"});
  t.add([&] { tensor({nan_}).to_vector<int>(); }, {"[to_vector]", "nan"});
  t.add([&] { o.m.size(2); }, {"[size]", "axis 2"});
  t.add([&] { Tensors{o.m}[1]; }, {"[Tensors]", "no tensor 1", "list of 1", "size()"});
  t.add([&] { Tensors{o.m}[-1]; }, {"[Tensors]", "no tensor -1"});
  t.add([&] { o.m.shape()[2]; }, {"[shape]", "no extent 2 in (2, 3)"});
  t.add([&] { o.m.shape()[-3]; }, {"[shape]", "no extent -3"});
  t.add([&] { Shape{}.back(); }, {"[shape]", "0-d"});
  t.add([&] { o.m.size(std::size_t{0} - 1); }, {"[index]", "18446744073709551615"});
  t.add([&] { set_threads(0); }, {"[set_threads]", "got 0"});
  t.check();
}
