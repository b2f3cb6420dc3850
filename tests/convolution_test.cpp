// Convolutions and pools: PyTorch's numbers, loops in f64 at random geometries, edges, and what is refused.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "helpers.hpp"
#include "references/references.hpp"
#include <xgrad/nn.hpp>

using namespace xgrad;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), not_a_number = std::numeric_limits<double>::quiet_NaN();

// A case of the file: its numbers in a dtype, and its options.
struct Kept {
  const references::File& file;
  std::string name;
  DType dtype;
  bool has(const std::string& what) const { return file.has(name + "." + what); }
  Tensor numbers(const std::string& what) const { return cast(file[name + "." + what], dtype); }
  Shape shape(const std::string& what) const { return file[name + "." + what].to_vector<Size>(); }
  Size number(const std::string& what) const { return static_cast<Size>(file[name + "." + what].item()); }

  template <class F>
  void check(const F& f) const {
    const Parameter x = parameter(numbers("input"));
    Tensors in{x};
    std::vector<Parameter> more;
    for (const char* key : {"weight", "bias"})
      if (has(key)) more.push_back(parameter(numbers(key)));
    for (const Parameter& p : more) in.push_back(p);
    const Tensor y = f(in);
    CHECK_NEAR(name + ".y", y, numbers("y"));
    const Tensors g = grad(y, Wrt(in), numbers("c"));
    const char* keys[] = {"ginput", "gweight", "gbias"};
    for (std::size_t i = 0; i < in.size(); ++i) CHECK_NEAR(name + "." + keys[i], g[i], numbers(keys[i]));
  }
};

// All cases of a function with so many axes, in both dtypes; how many there were.
template <class F>
int for_cases(const std::string& kind, int axes, const F& f) {
  static const references::File file("convolutions");
  int seen = 0;
  for (int i = axes - 1; i < 24; i += 3)
    for (const DType dtype : {f64, f32}) {
      const Kept kept{file, fmt::format("{}{}d.{}", kind, axes, i), dtype};
      if (!kept.has("input")) continue;
      ++seen;
      kept.check([&](const Tensors& in) { return f(in, kept); });
    }
  return seen;
}

template <class F, class Options>
Tensor with_bias(const F& f, const Tensors& in, const Options& options) {
  return f(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), options);
}
#define BY_AXES(name, axes, ...) \
  ((axes) == 1 ? name##1d(__VA_ARGS__) : (axes) == 2 ? name##2d(__VA_ARGS__) : name##3d(__VA_ARGS__))

}  // namespace

BOOST_AUTO_TEST_CASE(as_pytorch_has_it) {
  for (const int axes : {1, 2, 3}) {
    BOOST_TEST(
        for_cases("conv", axes, [axes](const Tensors& in, const Kept& k) {
          const ConvolutionOptions o{k.shape("stride"), k.shape("padding"), k.shape("dilation"), k.number("groups")};
          return BY_AXES(conv, axes, in[0], in[1], in.size() > 2 ? in[2] : Tensor(), o);
        }) == 16);
    BOOST_TEST(for_cases("conv_transpose", axes, [axes](const Tensors& in, const Kept& k) {
                 const TransposedConvolutionOptions o{k.shape("stride"), k.shape("padding"), k.shape("output_padding"),
                                                      k.number("groups"), k.shape("dilation")};
                 return BY_AXES(conv_transpose, axes, in[0], in[1], in.size() > 2 ? in[2] : Tensor(), o);
               }) >= 10);
    BOOST_TEST(for_cases("max_pool", axes, [axes](const Tensors& in, const Kept& k) {
                 const MaxPoolOptions o{k.shape("stride"), k.shape("padding"), k.shape("dilation"),
                                        k.number("ceil_mode") != 0};
                 return BY_AXES(max_pool, axes, in[0], k.shape("kernel_size"), o);
               }) == 10);
    BOOST_TEST(for_cases("avg_pool", axes, [axes](const Tensors& in, const Kept& k) {
                 const AvgPoolOptions o{k.shape("stride"), k.shape("padding"), k.number("ceil_mode") != 0,
                                        k.number("count_include_pad") != 0};
                 return BY_AXES(avg_pool, axes, in[0], k.shape("kernel_size"), o);
               }) == 10);
  }
}

namespace {

// Loops in doubles: y, and the cotangents of x and w for the cotangent g of y.
struct Loops {
  std::vector<double> y, gx, gw;
};
Loops loops(const Tensor& x, const Tensor& w, const Tensor& g, const Shape& stride, const Shape& padding,
            const Shape& dilation, Size groups) {
  const auto vx = x.to_vector<double>(), vw = w.to_vector<double>(), vg = g.to_vector<double>();
  const Shape i = x.shape(), k = w.shape(), p = g.shape();
  const Size in = k[1], out = k[0] / groups;
  Loops all{std::vector<double>(vg.size()), std::vector<double>(vx.size()), std::vector<double>(vw.size())};
  const auto at = [](Size flat) { return static_cast<std::size_t>(flat); };
  for (Size n = 0; n < i[0]; ++n)
    for (Size o = 0; o < k[0]; ++o)
      for (Size c = 0; c < in; ++c)
        for (Size pos = 0; pos < p[2] * p[3] * p[4]; ++pos)
          for (Size tap = 0; tap < k[2] * k[3] * k[4]; ++tap) {
            const Size z = pos / (p[3] * p[4]) * stride[0] + tap / (k[3] * k[4]) * dilation[0] - padding[0];
            const Size y = pos / p[4] % p[3] * stride[1] + tap / k[4] % k[3] * dilation[1] - padding[1];
            const Size v = pos % p[4] * stride[2] + tap % k[4] * dilation[2] - padding[2];
            if (z < 0 || y < 0 || v < 0 || z >= i[2] || y >= i[3] || v >= i[4]) continue;
            const std::size_t of_x = at((((n * i[1] + o / out * in + c) * i[2] + z) * i[3] + y) * i[4] + v);
            const std::size_t of_w = at((o * in + c) * k[2] * k[3] * k[4] + tap),
                              of_y = at((n * k[0] + o) * p[2] * p[3] * p[4] + pos);
            all.y[of_y] += vx[of_x] * vw[of_w];
            all.gx[of_x] += vg[of_y] * vw[of_w];
            all.gw[of_w] += vx[of_x] * vg[of_y];
          }
  return all;
}

void near(const std::string& what, const Tensor& got, const std::vector<double>& expected) {
  const auto v = got.to_vector<double>();
  BOOST_REQUIRE_EQUAL(v.size(), expected.size());
  double scale = 1, worst = 0;
  for (std::size_t i = 0; i < v.size(); ++i) {
    scale = std::max(scale, std::abs(expected[i]));
    worst = std::max(worst, std::isnan(v[i]) ? inf : std::abs(v[i] - expected[i]));
  }
  BOOST_TEST(worst <= (got.dtype() == f32 ? 2e-6 : 1e-14) * scale, what << ": off by " << worst << " of " << scale);
}

}  // namespace

// Geometries of all kinds, up to lines that are longer than what is summed at a time.
BOOST_AUTO_TEST_CASE(as_loops_have_it) {
  std::mt19937 random(7);
  const auto below = [&](Size n) { return static_cast<Size>(random() % static_cast<unsigned long>(n)); };
  manual_seed(8);
  int cases = 0;
  while (cases < 250) {
    const bool large = cases % 25 == 0, many_channels = cases % 5 == 3;  // of which lanes are made
    const Size groups = 1 + below(3), axes = large ? 2 : 1 + below(3), in = 1 + below(large ? 20 : 4);
    const Size out = many_channels ? 16 + below(70) : 1 + below(large ? 20 : 6);
    Shape x{below(large ? 6 : 4), groups * in}, w{groups * out, in}, stride, padding, dilation;
    for (Size axis = 0; axis < 3; ++axis) {
      const bool none = axis < 3 - axes, last = axis == 2;
      x.push_back(none ? 1 : 1 + below(large ? 20 : last ? (cases % 50 == 7 ? 2500 : 40) : 7));
      w.push_back(none ? 1 : 1 + below(4));
      stride.push_back(1 + below(4)), dilation.push_back(1 + below(4)), padding.push_back(none ? 0 : below(4));
    }
    bool fits = true;
    for (int axis = 0; axis < 3; ++axis) fits &= dilation[axis] * (w[axis + 2] - 1) < x[axis + 2] + 2 * padding[axis];
    if (!fits) continue;
    const DType dtype = cases++ % 2 ? f32 : f64;
    const Tensor image = watch(randn(x, dtype)), weight = watch(randn(w, dtype));
    const Tensor y = conv3d(image, weight, {stride, padding, dilation, groups}), g = randn(y.shape(), dtype);
    const Tensors gradients = grad(y, Wrt({image, weight}), g);
    const Loops all = loops(image, weight, g, stride, padding, dilation, groups);
    BOOST_TEST_CONTEXT(fmt::format("x {}, w {}, stride {}, padding {}, dilation {}, groups {}", x, w, stride, padding,
                                   dilation, groups)) {
      near("y", y, all.y);
      near("gx", gradients[0], all.gx);
      near("gw", gradients[1], all.gw);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_same_bits_on_any_number_of_threads) {
  manual_seed(9);
  const int many = threads();
  struct Sizes {
    Shape x, w;
    Size groups;
  };
  for (const Sizes& s : {Sizes{{33, 8, 14, 14}, {24, 8, 3, 3}, 1},
                         {{1, 40, 30, 30}, {50, 20, 3, 3}, 2},
                         {{9, 64, 12, 12}, {64, 1, 3, 3}, 64},
                         {{70, 1, 28, 28}, {8, 1, 3, 3}, 1},
                         {{11, 5, 16, 16}, {80, 5, 3, 3}, 1}})
    for (const DType dtype : {f32, f64}) {
      const Tensor x = watch(randn(s.x, dtype)), w = watch(randn(s.w, dtype)), b = watch(randn({s.w[0]}, dtype));
      const auto run = [&](int count) {
        set_threads(count);
        const Tensor y = max_pool2d(conv2d(x, w, b, {.padding = 1, .groups = s.groups}), 2);
        Tensors all = grad(sum(square(y)), Wrt({x, w, b}));
        all.push_back(y);
        evaluate(all);
        return all;
      };
      const Tensors one = run(1), two = run(2), five = run(5);
      for (std::size_t i = 0; i < one.size(); ++i)
        BOOST_TEST((helpers::same_bits(one[i], two[i]) && helpers::same_bits(one[i], five[i])));
    }
  set_threads(many);
}

// One that is infinite or NaN spoils what it is a factor of, and nothing else.
BOOST_AUTO_TEST_CASE(an_infinity_stays_where_it_is) {
  for (const Size width : {3, 5, 8, 13, 31, 70}) {
    const Tensor clean = ones({1, 1, 4, width}), bad = pad(full({1, 1, 4, 1}, inf, f32), 3, 0, width - 1);
    const Tensor x = watch(clean + bad), w = watch(ones({1, 1, 1, 3}));
    const Tensor y = conv2d(x, w, {.padding = {0, 1}});
    BOOST_TEST(all(isfinite(slice(y, 3, 2)) == true).item() == 1);
    BOOST_TEST(all(isfinite(slice(y, 3, 0, 2)) == false).item() == 1);
    // The last tap never reads the first column.
    const Tensor gw = grad(sum(y), w)[0];
    BOOST_TEST(std::isinf(gw[0][0][0][0].item()));
    BOOST_TEST(std::isinf(gw[0][0][0][1].item()));
    BOOST_TEST(gw[0][0][0][2].item() == 4.0 * static_cast<double>(width - 1));
  }
}

BOOST_AUTO_TEST_CASE(of_nothing) {
  BOOST_TEST(conv2d(zeros({0, 2, 5, 5}), ones({3, 2, 3, 3})).shape() == Shape({0, 3, 3, 3}));
  const Tensor y = conv2d(ones({2, 0, 4, 4}), ones({3, 0, 2, 2}), tensor({1.0f, 2.0f, 3.0f}));
  BOOST_TEST(y.shape() == Shape({2, 3, 3, 3}));
  BOOST_TEST(sum(y).item() == 2 * 9 * 6.0);
  const Tensor w = watch(ones({3, 2, 3, 3}));
  BOOST_TEST(sum(grad(sum(conv2d(zeros({0, 2, 5, 5}), w)), w)[0]).item() == 0);
  BOOST_TEST(conv2d(zeros({1, 2, 0, 3}), ones({1, 2, 2, 2}), {.padding = 1}).shape() == Shape({1, 1, 1, 4}));
  const Tensor up = watch(ones({1, 1, 3}));
  BOOST_TEST(sum(grad(sum(conv_transpose1d(zeros({1, 1, 0}), up)), up)[0]).item() == 0);
  BOOST_TEST(max_pool2d(zeros({0, 2, 4, 4}), 2).shape() == Shape({0, 2, 2, 2}));
  // one window, of which ceil_mode leaves what the image has
  BOOST_TEST(max_pool2d(ones({1, 1, 2, 2}), 3, {.stride = 2, .ceil_mode = true}).item() == 1);
  BOOST_TEST(avg_pool2d(ones({1, 1, 2, 2}), 3, {.stride = 2, .ceil_mode = true}).item() == 1);
  BOOST_TEST(max_pool1d(tensor({{{1, 5, 3, 2}}}), 3, {.stride = 2, .dilation = 2, .ceil_mode = true}).item() == 3);
  BOOST_CHECK_THROW(max_pool1d(ones({1, 1, 2}), 4, {.stride = 2, .ceil_mode = true}), Error);
  BOOST_TEST(avg_pool2d(zeros({2, 0, 4, 4}), 2).shape() == Shape({2, 0, 2, 2}));
}

// Of equal numbers the first is picked, and of several NaN the first, whatever the geometry: windows go side by side where they lie
// inside, and one by one at the borders. Few different numbers make many equal ones.
BOOST_AUTO_TEST_CASE(places_as_loops_have_them) {
  std::mt19937 random(17);
  const auto below = [&](Size n) { return static_cast<Size>(random() % static_cast<unsigned long>(n)); };
  for (int cases = 0; cases < 300;) {
    Shape x{1 + below(2), 1 + below(2)}, kernel, stride, padding, dilation, result{x[0], x[1]};
    bool fits = true;
    for (int axis = 0; axis < 2; ++axis) {
      x.push_back(1 + below(axis == 1 ? 40 : 9));
      kernel.push_back(1 + below(4)), stride.push_back(1 + below(4)), dilation.push_back(1 + below(3)),
          padding.push_back(below(kernel[axis] / 2 + 1));
      const Size reach = dilation[axis] * (kernel[axis] - 1) + 1, room = x[axis + 2] + 2 * padding[axis] - reach;
      fits &= room >= 0 && (dilation[axis] == 1 || padding[axis] == 0);
      result.push_back(room / stride[axis] + 1);
    }
    if (!fits) continue;
    const DType dtype = cases % 3 == 0 ? f32 : cases % 3 == 1 ? f64 : i64;
    std::vector<double> numbers;
    for (Size i = 0; i < x.numel(); ++i)
      numbers.push_back(dtype != i64 && below(12) == 0 ? not_a_number
                                                       : static_cast<double>(below(4)) - (cases % 2 ? 0 : 9));
    std::vector<double> y, g(numbers.size());
    for (Size plane = 0; plane < x[0] * x[1]; ++plane)
      for (Size p = 0; p < result[2] * result[3]; ++p) {
        std::size_t best = numbers.size();
        for (Size tap = 0; tap < kernel[0] * kernel[1]; ++tap) {
          const Size r = p / result[3] * stride[0] + tap / kernel[1] * dilation[0] - padding[0];
          const Size c = p % result[3] * stride[1] + tap % kernel[1] * dilation[1] - padding[1];
          if (r < 0 || c < 0 || r >= x[2] || c >= x[3]) continue;
          const auto here = static_cast<std::size_t>((plane * x[2] + r) * x[3] + c);
          if (best == numbers.size() || numbers[here] > numbers[best] ||
              (std::isnan(numbers[here]) && !std::isnan(numbers[best])))
            best = here;
        }
        y.push_back(numbers[best]), g[best] += 1;
      }
    const Tensor image = dtype == i64 ? cast(tensor(numbers, x), i64) : watch(cast(tensor(numbers, x), dtype));
    const Tensor got = max_pool2d(image, kernel, {.stride = stride, .padding = padding, .dilation = dilation});
    BOOST_TEST_CONTEXT(fmt::format("{} {}, kernel {}, stride {}, padding {}, dilation {}", name(dtype), x, kernel,
                                   stride, padding, dilation)) {
      BOOST_TEST((got.shape() == result));
      const auto values = got.to_vector<double>();
      for (std::size_t i = 0; i < y.size(); ++i)
        BOOST_TEST_REQUIRE((values[i] == y[i] || (std::isnan(values[i]) && std::isnan(y[i]))));
      if (dtype != i64) BOOST_TEST(grad(sum(got), image)[0].to_vector<double>() == g, boost::test_tools::per_element());
    }
    ++cases;
  }
}

// Where strides skip, a transpose is its bias.
BOOST_AUTO_TEST_CASE(strides_wider_than_the_kernel) {
  const Tensor y = conv_transpose2d(ones({1, 1, 2, 2}), full({1, 1, 1, 1}, 3.0f), tensor({0.5f}),
                                    {.stride = 3, .output_padding = 2});
  BOOST_TEST(y.shape() == Shape({1, 1, 6, 6}));
  BOOST_TEST(sum(y == 3.5).item() == 4);
  BOOST_TEST(sum(y == 0.5).item() == 32);
}

BOOST_AUTO_TEST_CASE(dtypes_meet) {
  const Tensor x = ones({1, 1, 3, 3}, f64), w = ones({1, 1, 2, 2}, f32);
  BOOST_TEST(conv2d(x, w).dtype() == f64);
  BOOST_TEST(conv2d(x, w, ones({1}, f32)).dtype() == f64);
  BOOST_TEST(max_pool2d(ones({1, 2, 2}, i64), 2).dtype() == i64);
  BOOST_TEST(avg_pool2d(ones({1, 2, 2}, i64), 2).dtype() == f32);
}

BOOST_AUTO_TEST_CASE(the_greatest) {
  const Tensor x = watch(tensor({{{1.0, 3.0, 3.0, 2.0}, {3.0, 0.0, 3.0, 3.0}}}));
  const Tensor y = max_pool2d(x, 2);
  BOOST_TEST(all(y == 3.0).item() == 1);
  BOOST_TEST(all(grad(sum(y), x)[0] == tensor({{{0.0, 1.0, 1.0, 0.0}, {0.0, 0.0, 0.0, 0.0}}})).item() ==
             1);  // the first of equals
  const Tensor bad = max_pool2d(tensor({{{1.0, not_a_number, 2.0, inf}}}), {1, 2});
  BOOST_TEST(std::isnan(bad[0][0][0].item()));
  BOOST_TEST(bad[0][0][1].item() == inf);
  BOOST_TEST(max_pool1d(full({1, 3}, -5.0), 2, {.padding = 1}).to_vector<double>() == (std::vector<double>{-5, -5}),
             boost::test_tools::per_element());
  BOOST_TEST(max_pool1d(full({1, 3}, -inf), 3).item() == -inf);
  BOOST_TEST(nn::max_pool2d(ones({1, 4, 4}), 2).shape() == Shape({1, 2, 2}));
  // many windows that overlap in one place
  const Tensor peak = watch(pad(ones({1, 1}), 1, 400, 400));
  for (const Size kernel : {2, 201, 601})
    BOOST_TEST(grad(sum(max_pool1d(peak, kernel, {.stride = 1})), peak)[0][0][400].item() ==
               std::min<Size>(kernel, 802 - kernel));
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  const Tensor x = ones({2, 4, 5, 5}), w = ones({6, 4, 3, 3});
  CHECK_ERROR(
      conv2d(ones({5, 5}), w),
      "[conv2d] expected x [batch, channels, height, width], or [channels, height, width] of one example, got (5, 5)");
  CHECK_ERROR(conv2d(x, ones({6, 4, 3})), "[conv2d] expected a weight of 4 axes, got (6, 4, 3)");
  CHECK_ERROR(conv2d(x, ones({6, 3, 3, 3})), "[conv2d] x has 4 channels, the weight is for 3 in 1 group");
  CHECK_ERROR(conv2d(x, w, {.groups = 4}), "[conv2d] 4 groups do not divide the 6 channels of the weight");
  CHECK_ERROR(conv2d(x, w, {.groups = 0}), "[conv2d] 0 groups");
  CHECK_ERROR(conv2d(x, w, {.groups = 2}), "[conv2d] x has 4 channels, the weight is for 4 in 2 groups");
  CHECK_ERROR(conv2d(x, ones({6, 4, 7, 3})),
              "[conv2d] the kernel reaches over 7 numbers, of which the padded image has 5");
  CHECK_ERROR(conv2d(x, w, {.dilation = 3}), "[conv2d] the kernel reaches over 7 numbers");
  CHECK_ERROR(conv2d(x, ones({6, 4, 0, 3})), "[conv2d] the kernel has no numbers");
  CHECK_ERROR(conv2d(x, w, {.stride = 0}), "[conv2d] expected a stride of 1 or more, got 0");
  CHECK_ERROR(conv2d(x, w, {.stride = {1, -1}}), "[conv2d] expected a stride of 1 or more, got -1");
  CHECK_ERROR(conv2d(x, w, {.padding = -1}), "[conv2d] expected a padding of 0 or more, got -1");
  CHECK_ERROR(conv2d(x, w, {.dilation = 0}), "[conv2d] expected a dilation of 1 or more, got 0");
  CHECK_ERROR(conv2d(x, w, {.stride = {1, 1, 1}}), "[conv2d] expected one stride for all axes, or one for each of 2");
  CHECK_ERROR(conv2d(x, w, ones({5})), "[conv2d] expected a bias [6], got (5,)");
  CHECK_ERROR(conv2d(x, w, 1.0), "[conv2d] expected a bias with a number for each channel");
  CHECK_ERROR(conv2d(cast(x, i64), cast(w, i64)), "[conv2d] expected floats, got i64");
  CHECK_ERROR(conv2d(Tensor(), w), "[conv2d] expected a tensor, got an empty one");
  constexpr Size huge = std::numeric_limits<Size>::max();
  CHECK_ERROR(conv2d(x, w, {.padding = huge}), "[conv2d] a padding of");
  CHECK_ERROR(conv2d(x, w, {.padding = huge / 16}), "[conv2d]");  // more results than memory can hold
  CHECK_ERROR(conv2d(x, w, {.padding = huge / 16, .dilation = huge / 16}), "[conv2d]");
  CHECK_ERROR(conv2d(x, w, {.padding = huge / 16, .dilation = huge}), "[conv2d] the kernel reaches over");
  BOOST_TEST(conv2d(x, w, {.stride = huge, .padding = 1'000'000'000}).shape() == Shape({2, 6, 1, 1}));
  CHECK_ERROR(conv_transpose2d(x, w), "[conv_transpose2d] x has 4 channels, the weight is for 6");
  // one image alone, as it was given
  CHECK_ERROR(conv2d(ones({1, 9, 9}), ones({6, 3, 3, 3})), "in 1 group: (1, 9, 9) and (6, 3, 3, 3)");
  CHECK_ERROR(conv_transpose2d(ones({1, 9, 9}), ones({3, 6, 3, 3})), "is for 3: (1, 9, 9) and (3, 6, 3, 3)");
  CHECK_ERROR(conv_transpose2d(x, ones({4, 1, 3, 3}), {.output_padding = 1}),
              "[conv_transpose2d] expected an output_padding less than the stride");
  CHECK_ERROR(conv_transpose2d(x, ones({4, 1, 3, 3}), {.padding = 4}), "[conv_transpose2d] less than 1 along axis 0");
  CHECK_ERROR(conv_transpose2d(x, ones({4, 1, 3, 3}), {.stride = huge}), "[conv_transpose2d] too many along axis 0");
  CHECK_ERROR(max_pool2d(x, 6), "[max_pool2d] the kernel reaches over 6 numbers");
  CHECK_ERROR(max_pool2d(x, 0), "[max_pool2d] expected a kernel of 1 or more, got 0");
  CHECK_ERROR(max_pool2d(x, 2, {.padding = 2}),
              "[max_pool2d] expected a padding of half of the kernel at most, got 2 of 2");
  CHECK_ERROR(max_pool2d(ones({1, 2, 2}), 2, {.padding = 1, .dilation = 3}),
              "[max_pool2d] window 0 along axis 0 of the image holds nothing but padding");
  CHECK_ERROR(max_pool2d(x > 0, 2), "[max_pool2d] expected numbers, got boolean");
  CHECK_ERROR(avg_pool3d(x, 9), "[avg_pool3d] the kernel reaches over 9 numbers");
  CHECK_ERROR(avg_pool1d(x, 2), "[avg_pool1d] expected x [batch, channels, length]");
}

// What is refused leaves nothing behind.
BOOST_AUTO_TEST_CASE(errors_keep_no_memory) {
  const Tensor image = ones({2, 3, 8}), weight = ones({2, 3, 2}), deep = ones({2, 2, 2, 2, 2});
  const auto refused = [&] {
    BOOST_CHECK_THROW(avg_pool1d(deep, 2), Error);
    BOOST_CHECK_THROW(avg_pool1d(image, 20), Error);
    BOOST_CHECK_THROW(max_pool1d(deep, 2), Error);
    BOOST_CHECK_THROW(max_pool1d(image, 2, {.padding = 5}), Error);
    BOOST_CHECK_THROW(conv1d(deep, weight), Error);
    BOOST_CHECK_THROW(conv1d(image, weight, {.stride = 0}), Error);
    BOOST_CHECK_THROW(conv1d(image, weight, {.groups = 2}), Error);
    BOOST_CHECK_THROW(conv_transpose1d(image, weight, {.output_padding = 9}), Error);
  };
  refused();
  BOOST_TEST(helpers::during(refused).bytes == 0u);
}

// Windows that lie side by side are summed another way than those that overlap.
BOOST_AUTO_TEST_CASE(averages_of_tiles_are_those_of_windows) {
  const Tensor x = randn({3, 2, 13, 17}, f64);
  for (const Shape& kernel : {Shape{3, 3}, Shape{2, 5}, Shape{13, 17}, Shape{13, 2}, Shape{1, 17}}) {
    const Tensor all = avg_pool2d(x, kernel, {.stride = {1, 1}});
    const Tensor want = slice(slice(all, 2, 0, all.size(2), kernel[0]), 3, 0, all.size(3), kernel[1]);
    BOOST_TEST(allclose(avg_pool2d(x, kernel), want, 1e-14, 1e-15));
  }
}
