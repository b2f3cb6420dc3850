// The bridge to xtensor: expressions become tensors, and tensors read-only views that own a share of their numbers.
#include <xgrad/autodiff/xtensor.hpp>

#include <boost/test/unit_test.hpp>
#include <optional>
#include <thread>

#include <xgrad/autodiff.hpp>
#include "xtensor_headers.hpp"

using namespace xgrad;

namespace {
const xt::xarray<double> matrix = {{1, 2, 3}, {4, 5, 6}};
}

BOOST_AUTO_TEST_CASE(an_expression_becomes_a_tensor_of_its_type) {
  const Tensor t = from_xtensor(matrix);
  BOOST_TEST((t.shape() == Shape{2, 3}));
  BOOST_TEST((t.dtype() == f64));
  BOOST_TEST(t.to_vector<double>() == (std::vector<double>{1, 2, 3, 4, 5, 6}), boost::test_tools::per_element());
  BOOST_TEST((from_xtensor(xt::xarray<float>{1.5f}).dtype() == f32));
  BOOST_TEST((from_xtensor(xt::xarray<int>{1, 2}).dtype() == i64));
  BOOST_TEST((from_xtensor(xt::xarray<std::uint8_t>{1, 255}).to_vector<int>()[1] == 255));
  BOOST_TEST((from_xtensor(matrix > 3.0).dtype() == boolean));
  BOOST_TEST((from_xtensor(matrix > 3.0).to_vector<int>() == std::vector<int>{0, 0, 0, 1, 1, 1}));
}

BOOST_AUTO_TEST_CASE(lazy_expressions_and_views_are_computed_in_row_major_order) {
  const Tensor t = from_xtensor(xt::transpose(matrix) * 2.0);
  BOOST_TEST((t.shape() == Shape{3, 2}));
  BOOST_TEST((t.to_vector<double>() == std::vector<double>{2, 8, 4, 10, 6, 12}));
  BOOST_TEST((from_xtensor(xt::view(matrix, 1, xt::all())).to_vector<double>() == std::vector<double>{4, 5, 6}));
  BOOST_TEST((from_xtensor(xt::sum(matrix, {0})).to_vector<double>() == std::vector<double>{5, 7, 9}));
  xt::xarray<double, xt::layout_type::column_major> columns = matrix;
  BOOST_TEST((from_xtensor(columns).to_vector<double>() == std::vector<double>{1, 2, 3, 4, 5, 6}));
  const Tensor scalar = from_xtensor(xt::xarray<double>(7.0));
  BOOST_TEST(scalar.dim() == 0);
  BOOST_TEST(scalar.item() == 7);
  BOOST_TEST((from_xtensor(xt::xtensor<float, 2>(std::array<std::size_t, 2>{0, 3})).shape() == Shape{0, 3}));
}

BOOST_AUTO_TEST_CASE(a_view_copies_nothing) {
  const Tensor t = evaluate(randn({100, 30}, f64));
  const auto v = as_xtensor<double>(t);
  BOOST_TEST((static_cast<const void*>(v.data()) == readable(contiguous(t))));
  BOOST_TEST((v.shape() == std::vector<std::size_t>{100, 30}));
  BOOST_TEST(v(3, 4) == t[3][4].item());
  BOOST_TEST(as_xtensor<double>(tensor(2.5))() == 2.5);
  BOOST_TEST(as_xtensor<Size>(arange(4))(3) == 3);
  BOOST_TEST(as_xtensor<bool>(arange(4) > 2)(3));
  BOOST_TEST(as_xtensor<float>(zeros({0, 3})).size() == 0u);
}

BOOST_AUTO_TEST_CASE(a_view_of_a_temporary_does_not_dangle) {
  const Tensor a = ones({2000}, f64), b = full({2000}, 2.0);
  const auto v = as_xtensor<double>(a + b);
  std::vector<Tensor> others;  // would take the memory, were it free
  for (int i = 0; i < 20; ++i) others.push_back(evaluate(a * i + b));
  BOOST_TEST(xt::all(xt::equal(v, 3.0)));
  auto copy = std::make_optional(v);
  const auto second = *copy;
  copy.reset();
  BOOST_TEST(second(1999) == 3);
}

BOOST_AUTO_TEST_CASE(strided_and_repeated_numbers_are_laid_out_first) {
  const Tensor t = from_xtensor(matrix);
  const auto turned = as_xtensor<double>(transpose(t));
  BOOST_TEST(xt::all(xt::equal(turned, xt::transpose(matrix))));
  BOOST_TEST(xt::all(xt::equal(as_xtensor<double>(expand(t[0], {4, 3})), xt::view(matrix, 0, xt::all()))));
  BOOST_TEST(xt::all(xt::equal(as_xtensor<double>(full({3, 2}, 7.0)), 7.0)));
  BOOST_TEST(xt::all(xt::equal(as_xtensor<double>(t), matrix)));
}

BOOST_AUTO_TEST_CASE(a_view_of_a_parameter_keeps_the_value_it_saw) {
  Parameter w = parameter(ones({100}, f64));
  const auto before = as_xtensor<double>(w);
  w += 1;
  static_cast<double*>(writable(Parameters{w}[0]))[0] = 9;
  BOOST_TEST(xt::all(xt::equal(before, 1.0)));
}

BOOST_AUTO_TEST_CASE(a_view_may_end_on_another_thread) {
  auto v = std::make_optional(as_xtensor<double>(ones({5000}, f64) * 3));
  std::thread([held = std::move(v)]() mutable { held.reset(); }).join();
  BOOST_TEST((ones({5000}, f64) + 1).to_vector<double>()[4999] == 2);
}

BOOST_AUTO_TEST_CASE(the_wrong_type_and_an_empty_tensor_are_errors) {
  const auto says = [](const char* part) {
    return [part](const Error& e) { return std::string(e.what()).find(part) != std::string::npos; };
  };
  BOOST_CHECK_EXCEPTION(as_xtensor<float>(ones({2}, f64)), Error, says("xtensor_test.cpp"));
  BOOST_CHECK_EXCEPTION(as_xtensor<float>(ones({2}, f64)), Error, says("[as_xtensor] expected f32, got f64; cast"));
  BOOST_CHECK_EXCEPTION(as_xtensor<float>(Tensor()), Error, says("empty"));
}

BOOST_AUTO_TEST_CASE(xtensor_is_an_oracle) {
  const Tensor x = randn({7, 50}, f64);
  const auto v = as_xtensor<double>(x);
  const Tensor rows = sum(exp(x) * x, 1);
  for (std::size_t i = 0; i < 7; ++i) {
    const auto row = xt::view(v, i, xt::all());
    BOOST_TEST(rows[i].item() == xt::sum(xt::exp(row) * row)(), boost::test_tools::tolerance(1e-12));
    BOOST_TEST(amax(x[i]).item() == xt::amax(row)());
  }
}
