// The bridge to xtensor: the one public header that includes it.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>
#if __has_include(<xtensor/containers/xarray.hpp>)  // xtensor 0.26 and newer
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/core/xexpression.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xexpression.hpp>
#endif

#include <xgrad/autodiff/memory.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// A tensor of an expression's numbers, computed now. Its dtype is that of the expression's C++ type.
template <class E>
Tensor from_xtensor(const xt::xexpression<E>& expression, Source source = Source::here()) {
  const E& e = expression.derived_cast();
  using From = std::decay_t<typename E::value_type>;
  constexpr DType dtype = dtype_of<From>();
  using To = std::conditional_t<std::is_same_v<From, bool>, bool,
                                std::conditional_t<std::is_integral_v<From>, Size,
                                                   std::conditional_t<std::is_same_v<From, float>, float, double>>>;
  Shape shape;
  for (const auto extent : e.shape()) shape.push_back(static_cast<Size>(extent));
  return filled(
      shape, dtype,
      [&](void* memory) {
        To* out = static_cast<To*>(memory);
        const auto end = e.template cend<xt::layout_type::row_major>();
        for (auto at = e.template cbegin<xt::layout_type::row_major>(); at != end; ++at) *out++ = static_cast<To>(*at);
      },
      source);
}

// A read-only xtensor view of t's numbers: nothing is copied where they are row-major. The view owns a share of them,
// so it may outlive t. T must be t's dtype: float, double, Size or bool.
template <class T>
auto as_xtensor(const Tensor& t, Source source = Source::here()) {
  static_assert(
      std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, Size> || std::is_same_v<T, bool>,
      "as_xtensor<T>: T is float, double, xgrad::Size or bool");
  if (t.defined() && t.dtype(source) != dtype_of<T>())
    fail(source.named("as_xtensor"), "expected {}, got {}; cast(x, {}) first", name(dtype_of<T>()),
         name(t.dtype(source)), name(dtype_of<T>()));
  auto held = std::make_shared<const Tensor>(contiguous(t, source));
  const auto* numbers = static_cast<const T*>(readable(*held, source));
  const Shape& extents = held->shape(source);
  const std::vector<std::size_t> shape(extents.begin(), extents.end());
  return xt::adapt_smart_ptr(numbers, shape, std::move(held));
}

}  // namespace xgrad

#pragma GCC visibility pop
