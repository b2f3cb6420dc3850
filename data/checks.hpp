// What the makers of data share: checks of their options, and labels.
#pragma once

#include <new>
#include <string>

#include <xgrad/autodiff/tensor.hpp>
#include <xgrad/data/dataset.hpp>

namespace xgrad::data {

// classes x per_class, which must both be at least 1 and have a product.
Size checked_count(const char* op, Size classes, Size per_class, Source source);
void check_noise(const char* op, double noise, Source source);

Tensor cycling_labels(const char* op, Size n, Size classes, Source source);  // 0, 1, ..., classes - 1, 0, 1, ...

// How many rows there are: as many inputs as labels.
Size checked_rows(const char* op, const Dataset& whole, Source source);

// f(), where a lack of memory is an Error: "what is more than memory holds".
template <class F>
auto or_no_memory(Source source, const std::string& what, const F& f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    fail(source, "{} is more than memory holds", what);
  }
}

// f(), where a lack of memory is an Error that names the op; takes none itself.
template <class F>
auto with_memory(const char* op, Source source, const F& f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    fail_no_memory(source, op);
  }
}

}  // namespace xgrad::data
