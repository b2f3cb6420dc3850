#include <xgrad/autodiff/tensor.hpp>

#include <fmt/format.h>

#include <cstring>
#include <memory>

#include "autodiff/engine/batch.hpp"
#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/record.hpp"
#include "autodiff/engine/strided.hpp"
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad {

using engine::Node;
using engine::source_of;

namespace {
Node* checked(const Tensor& t, const char* what, Source source) {
  if (!t.defined()) fail(source_of(source, what), "of an empty tensor (default-constructed); give it a value first");
  return t.node();
}
}  // namespace

const Shape& Tensor::shape(Source source) const { return checked(*this, "shape", source)->shape; }
DType Tensor::dtype(Source source) const { return checked(*this, "dtype", source)->dtype; }
Size Tensor::numel(Source source) const { return checked(*this, "numel", source)->count; }
Size Tensor::size(At axis) const {
  const Shape& s = checked(*this, "size", axis.source)->shape;
  return s[engine::checked_axis(axis, s.rank(), "size", source_of(axis.source))];
}

double Tensor::item(Source source) const {
  Node* n = checked(*this, "item", source);
  if (n->has(engine::traced)) engine::fail_traced(n, "item", source_of(source));
  if (n->count != 1)
    fail(source_of(source, "item"), "expected one element, got shape {}; to_vector<T>() reads many", n->shape);
  engine::note_read(n);
  engine::evaluate(n, "item", source_of(source));
  return engine::read_number(n->dtype, n->data);
}

void Tensor::fail_memory(const char* what, Source source) const try {
  fail(source_of(source, what), "no memory for {} elements, shape {}", numel(source), shape(source));
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(source), what);
}

void Tensor::fail_fit(double number, std::size_t bytes, Source source) {
  fail(source_of(source, "to_vector"),
       "the number {} does not fit the {}-byte integer asked for; read a "
       "wider type, or clamp first",
       number, bytes);
}

void Tensor::copy_to(void* out, DType dtype, Source source) const {
  Node* n = checked(*this, "to_vector", source);
  engine::note_read(n);
  engine::evaluate(n, "to_vector", source_of(source));
  const Tensor t = engine::dense(n);
  const char* from = t.node()->data;
  if (dtype == n->dtype) {
    if (n->count) std::memcpy(out, from, static_cast<std::size_t>(n->count * item_size(dtype)));
    return;
  }
  for (Size i = 0; i < n->count; ++i) {
    const double x = engine::read_number(n->dtype, from + i * item_size(n->dtype));
    if (dtype == DType::f32) static_cast<float*>(out)[i] = static_cast<float>(x);
    else if (dtype == DType::f64) static_cast<double*>(out)[i] = x;
    else if (x >= -0x1p63 && x < 0x1p63) static_cast<Size*>(out)[i] = static_cast<Size>(x);
    else fail_fit(x, sizeof(Size), source);
  }
}

bool Tensor::requires_grad() const noexcept { return defined() && node()->has(engine::needs_grad); }
bool Tensor::pending() const noexcept { return defined() && node()->pending(); }

Tensor Tensor::detach(Source source) const {
  Node* n = checked(*this, "detach", source);
  if (n->pending() && n->home != engine::this_thread) engine::fail_foreign(n, "detach", source_of(source));
  return engine::without_history(n, engine::cut_detach);
}

Tensor& Tensor::operator+=(const In& y) & {
  const Located at(y);
  return *this = *this + y;
}
Tensor& Tensor::operator-=(const In& y) & {
  const Located at(y);
  return *this = *this - y;
}
Tensor& Tensor::operator*=(const In& y) & {
  const Located at(y);
  return *this = *this * y;
}
Tensor& Tensor::operator/=(const In& y) & {
  const Located at(y);
  return *this = *this / y;
}

void Tensors::fail_place(At i) const {
  fail(source_of(i.source, "Tensors"), "no tensor {} in a list of {}; check size()", i.index, size_);
}
void Tensors::grow() {
  std::uint8_t pool;
  auto* more = reinterpret_cast<Tensor*>(
      engine::take_buffer(2 * capacity_ * sizeof(Tensor), pool, "Tensors", source_of(Source{})));
  std::uninitialized_move(begin(), end(), more);
  std::uninitialized_value_construct(more + size_, more + 2 * capacity_);
  if (many_) give_back();
  many_ = more;
  pool_ = pool;
  capacity_ *= 2;
}
void Tensors::give_back() noexcept {
  std::destroy(many_, many_ + capacity_);
  engine::give_buffer(reinterpret_cast<char*>(many_), pool_);
}

void Tensors::require_size(std::size_t n, Source source) const {
  if (size_ != n)
    fail(source_of(source, "Tensors"), "{} tensors where {} are taken; as<{}>() takes so many", size_, n, size_);
}

In::operator Tensor() const {
  if (!is_number()) return node_ ? engine::share(node_) : Tensor();
  const DType dtype = number_dtype();
  Node* n = dtype == DType::i64 ? engine::uniform_node(dtype, Shape{}, &value_.integer, source_of(*this))
                                : engine::uniform_number(dtype, Shape{}, number(), source_of(*this));
  n->flags |= engine::weak;
  return Tensor::adopt(n);
}
Tensor Tensor::from_number(const In& number) { return static_cast<Tensor>(number); }

}  // namespace xgrad
