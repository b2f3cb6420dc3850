#include "data/checks.hpp"

#include <fmt/core.h>

#include <cmath>

#include <xgrad/autodiff/memory.hpp>

namespace xgrad::data {

Size checked_count(const char* op, Size classes, Size per_class, Source source) {
  if (classes < 1 || per_class < 1)
    fail(source.named(op), "expected at least 1 class and 1 row a class, got {} and {}", classes, per_class);
  Size n = 0;
  if (__builtin_mul_overflow(classes, per_class, &n))
    fail(source.named(op), "{} classes of {} rows are more than a tensor holds", classes, per_class);
  return n;
}

void check_noise(const char* op, double noise, Source source) {
  if (!(noise >= 0) || std::isinf(noise)) fail(source.named(op), "expected a noise of 0 or more, got {}", noise);
}

Tensor cycling_labels(const char* op, Size n, Size classes, Source source) {
  return filled(
      Shape{n}, i64,
      [&](void* memory) {
        for (Size i = 0; i < n; ++i) static_cast<Size*>(memory)[i] = i % classes;
      },
      source, op);
}

}  // namespace xgrad::data
