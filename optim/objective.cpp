#include <xgrad/optim/objective.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

#include "optim/methods/vectors.hpp"

namespace xgrad::optim {

void check_parameters(const char* name, const Parameters& parameters, Source source) {
  if (parameters.empty())
    fail(source.named(name), "expected at least one parameter, got none; give {a, b}, or name them in XGRAD_FIELDS");
  std::vector<const engine::Variable*> known;
  for (const Parameters::Entry& entry : parameters) {
    if (!entry.variable.get() || !entry.value().defined())
      fail(source.named(name), "the parameter {} is empty; give it a value", entry.name);
    known.push_back(entry.variable.get());
  }
  std::sort(known.begin(), known.end());
  if (const auto twice = std::adjacent_find(known.begin(), known.end()); twice != known.end())
    for (const Parameters::Entry& entry : parameters)
      if (entry.variable.get() == *twice)
        fail(source.named(name), "the parameter {} is there twice; name each once", entry.name);
}

Objective::Objective(const char* name, const Parameters& parameters, Callable<Tensor()> function, Kind kind,
                     Source source)
    : name_(name), parameters_(parameters), function_(std::move(function)), kind_(kind), source_(source) {
  check_parameters(name, parameters, source);
  if (!function_) fail(source.named(name), "expected a function that gives a Tensor, got an empty one");
  for (const Parameters::Entry& entry : parameters_) {
    size_ += entry.value().numel();
    f32_ |= entry.value().dtype() == f32;
  }
  if (size_ == 0) fail(source.named(name), "expected parameters that hold numbers, got shapes without any");
}

// ---- where it is

const Objective::Point& Objective::here() {
  if (point_.values.empty())
    for (const Parameters::Entry& entry : parameters_) point_.values.push_back(entry.value());
  return point_;
}

void Objective::move_to(const Tensor& x) {
  const NoGrad constant;
  if (x.shape(source_) != Shape{size_})
    fail(source_.named(name_), "expected a point of shape ({},), got {}", size_, x.shape());
  Point next;
  const Tensor wanted = contiguous(cast(x.detach(), f64));
  next.x = separable_.bounded() ? contiguous(separable_.nearest(wanted)) : wanted;
  next.values = unpack(next.x);
  if (f32_) next.x = Tensor();  // what the parameters hold is not quite what was asked for
  move_to(std::move(next));
}

void Objective::move_to(Point point) {
  assign_all(parameters_, point.values, source_);
  point_ = std::move(point);
}

void Objective::moved() { point_ = {}; }

void Objective::set_separable(const Separable& part) {
  separable_ = part;
  point_ = {};
  if (!separable_.bounded()) return;
  const NoGrad constant;
  if (!all(separable_.nearest(x()) == x()).item()) move_to(x());
}

const Tensor& Objective::x() {
  if (!point_.x.defined()) {
    const NoGrad constant;
    point_.x = contiguous(evaluate(pack(here().values)).detach());
  }
  return point_.x;
}

// All numbers of the parts, as one vector of f64.
Tensor Objective::pack(const Tensors& parts) const {
  Tensors flat;
  for (const Tensor& part : parts) flat.push_back(cast(reshape(part, {-1}), f64));
  return flat.size() == 1 ? flat[0] : concat(flat, 0, source_);
}

std::vector<Tensor> Objective::unpack(const Tensor& x) const {
  std::vector<Tensor> parts;
  const double* from = numbers(x);
  for (const Parameters::Entry& entry : parameters_) {
    const Tensor value = entry.value();
    const Size n = value.numel();
    if (n == size_ && value.dtype() == f64 && value.dim() == 1) {  // the others have no numbers
      parts.push_back(x);
      from += n;
      continue;
    }
    parts.push_back(filled(value.shape(), value.dtype(), [&](void* to) {
      if (value.dtype() == f64) std::copy_n(from, n, static_cast<double*>(to));
      else std::transform(from, from + n, static_cast<float*>(to), [](double e) { return static_cast<float>(e); });
    }));
    from += n;
  }
  return parts;
}

// ---- the function

void Objective::run() {
  if (point_.result.defined()) return;
  here();
  if (before_each_call_) before_each_call_();
  ++evaluations_.value;
  const EnableGrad recorded;
  Tensor result = function_();
  const char* what = kind_ == Kind::loss ? "a loss" : "residuals";
  if (!result.defined()) fail(source_.named(name_), "expected {}, got an empty Tensor", what);
  if (!is_float(result.dtype()))
    fail(source_.named(name_), "expected {} of f32 or f64, got {}; cast it", what, xgrad::name(result.dtype()));
  if (kind_ == Kind::loss && result.numel() != 1)
    fail(source_.named(name_),
         "expected a loss of one element, got shape {}; take its sum or mean, or give residuals "
         "to least_squares",
         result.shape());
  if (kind_ == Kind::residuals) {
    if (result.numel() == 0) fail(source_.named(name_), "expected residuals, got none: shape {}", result.shape());
    if (residual_count_ >= 0 && result.numel() != residual_count_)
      fail(source_.named(name_), "expected {} residuals, as at the first point, got {}", residual_count_,
           result.numel());
    if (result.dim() != 1) result = reshape(result, {-1});
  }
  point_.result = std::move(result);
  if (!checked_) check_first();
}

// Later the function may leave a parameter out (it may branch on values); at the first point that is a mistake.
void Objective::check_first() {
  const Located at(source_, name_);
  const Parameters found = variables_of(point_.result);
  for (const Parameters::Entry& entry : parameters_)
    if (std::none_of(found.begin(), found.end(),
                     [&](const auto& e) { return e.variable.get() == entry.variable.get(); })) {
      point_.result = Tensor();
      if (!entry.value().requires_grad())
        fail(source_.named(name_), "the parameter {} is frozen; leave it out, or call its requires_grad(true)",
             entry.name);
      fail(source_.named(name_),
           "the {} not depend on the parameter {} by what was recorded; leave it out, or compute "
           "with it in tensor ops (not from item(), under NoGrad, or by a copy of it)",
           kind_ == Kind::loss ? "loss does" : "residuals do", entry.name);
    }
  residual_count_ = point_.result.numel();
  rounding_ = f32_ || point_.result.dtype() == f32 ? 0x1p-23 : 0x1p-52;
  checked_ = true;
}

double Objective::value() {
  if (!point_.evaluated) {
    run();
    const NoGrad constant;
    point_.value = kind_ == Kind::loss ? point_.result.item()
                                       : 0.5 * dot(numbers(residuals()), numbers(residuals()), residual_count_);
    if (separable_.l1.defined()) point_.value += point_.penalty = separable_.penalty(x());
    point_.evaluated = true;
    met_nonfinite_ |= !std::isfinite(point_.value);
    met_minus_infinity_ |= point_.value == -std::numeric_limits<double>::infinity();
  }
  return point_.value;
}

double Objective::smooth() { return value() - point_.penalty; }

const Tensor& Objective::residuals() {
  require_residuals();
  if (!point_.residuals.defined()) {
    run();
    const NoGrad constant;
    point_.residuals = contiguous(cast(point_.result.detach(), f64));
  }
  return point_.residuals;
}

void Objective::require_residuals() const {
  if (kind_ == Kind::loss)
    fail(source_.named(name_),
         "this method works on residuals, and minimize gives it a loss alone; call least_squares "
         "with a function that gives the residuals");
}

// ---- first derivatives

// The gradients and the value are evaluated together. Of residuals: J^T r.
const Tensors& Objective::gradients() {
  if (point_.gradients.empty()) {
    run();
    ++evaluations_.gradient;
    const EnableGrad recorded;
    const Wrt wrt(parameters_);
    if (kind_ == Kind::loss) {
      point_.gradients = grad(point_.result, wrt, {.create_graph = second_order_, .allow_unused = true});
      if (second_order_) point_.slopes = pack(point_.gradients);
    } else {
      point_.gradients = grad(point_.result, wrt, point_.result.detach(), {.allow_unused = true});
    }
    Tensors together = point_.gradients;
    together.push_back(point_.result);
    evaluate(together, source_);
    if (!keep_record_) {
      value();
      point_.result = Tensor();
    }
  }
  return point_.gradients;
}

const Tensor& Objective::gradient() {
  if (!point_.gradient.defined()) {
    const NoGrad constant;
    if (use_jacobian_) {
      const double *r = numbers(residuals()), *j = numbers(columns());
      point_.gradient = filled({size_}, f64, [&](void* to) {
        for (Size i = 0; i < size_; ++i) static_cast<double*>(to)[i] = dot(j + i * residual_count_, r, residual_count_);
      });
    } else {
      Tensors plain;
      for (const Tensor& g : gradients()) plain.push_back(g.detach());
      point_.gradient = contiguous(evaluate(pack(plain)));
    }
    met_nonfinite_ |= !std::isfinite(gradient_norm());
  }
  return point_.gradient;
}

// Without bounds and penalty the prox is x - df/dx itself.
double Objective::gradient_norm() {
  const Tensor& g = gradient();
  if (point_.norm < 0) {
    point_.norm = largest(numbers(g), size_);
    if (!separable_.empty() && std::isfinite(point_.norm)) {
      const NoGrad constant;
      point_.norm = amax(abs(separable_.residual(x(), g))).item();
    }
  }
  return point_.norm;
}

bool Objective::finite() { return std::isfinite(gradient_norm()) && std::isfinite(value()); }

double Objective::noise() {
  if (point_.noise < 0)
    point_.noise = rounding_ * std::max(4 * std::abs(value()), absolute_dot(numbers(gradient()), numbers(x()), size_));
  return point_.noise;
}

// ---- second derivatives, and the Jacobian

// dy/dx, a row for each number of y.
Tensor Objective::matrix(const Tensor& y) const {
  const Size m = y.numel();
  if (!y.requires_grad()) return zeros({m, size_}, f64);
  const Tensors parts = xgrad::jacobian(y, parameters_, {.allow_unused = true});
  const NoGrad constant;
  Tensors flat;
  for (const Tensor& part : parts) flat.push_back(cast(reshape(part, {m, part.numel() / m}), f64));
  return evaluate(flat.size() == 1 ? flat[0] : concat(flat, 1, source_));
}

const Tensor& Objective::slopes() {
  second_order_ = true;
  if (!point_.slopes.defined()) {
    run();
    const EnableGrad recorded;
    const GradOptions options{.create_graph = true, .allow_unused = true};
    // Of residuals: J^T r, where r counts as it depends on x, too.
    point_.slopes = pack(kind_ == Kind::loss ? grad(point_.result, parameters_, options)
                                             : grad(point_.result, parameters_, point_.result, options));
    if (point_.gradients.empty()) {
      ++evaluations_.gradient;
      const NoGrad constant;
      point_.gradient = contiguous(evaluate(point_.slopes.detach()));
      for (const Tensor& part : unpack(point_.gradient)) point_.gradients.push_back(part);
    }
  }
  return point_.slopes;
}

Tensor Objective::hvp(const Tensor& v) {
  const Tensor& u = slopes();
  ++evaluations_.hvp;
  if (!u.requires_grad()) return zeros({size_}, f64);
  const Tensors parts = grad(u, parameters_, v, {.allow_unused = true});
  const NoGrad constant;
  const Tensor product = contiguous(evaluate(pack(parts)));
  met_nonfinite_ |= !std::isfinite(largest(numbers(product), size_));
  return product;
}

const Tensor& Objective::hessian() {
  if (!point_.hessian.defined()) {
    const Tensor& u = slopes();
    ++evaluations_.hessian;
    const Tensor h = matrix(u);
    const NoGrad constant;
    point_.hessian = contiguous(evaluate(0.5 * (h + transpose(h))));
    met_nonfinite_ |= !std::isfinite(largest(numbers(point_.hessian), size_ * size_));
  }
  return point_.hessian;
}

const Tensor& Objective::jacobian() {
  if (!point_.jacobian.defined()) {
    require_residuals();
    run();
    ++evaluations_.jacobian;
    point_.jacobian = matrix(point_.result);
  }
  return point_.jacobian;
}

const Tensor& Objective::columns() {
  if (!point_.columns.defined()) {
    const NoGrad constant;
    point_.columns = contiguous(transpose(jacobian()));
  }
  return point_.columns;
}

double Objective::cosine() {
  const double *const r = numbers(residuals()), *const all = numbers(columns());
  const Size m = residuals().numel();
  double squares = 0, greatest = 0;
  for (Size k = 0; k < m; ++k)
    for (Size i = 0; i < size_; ++i)
      if (all[i * m + k] != 0) {
        squares += r[k] * r[k];
        break;
      }
  const double of_r = std::sqrt(squares);
  for (Size i = 0; i < size_; ++i)
    if (const double of_column = length(all + i * m, m); of_column > 0 && of_r > 0)
      greatest = std::max(greatest, std::abs(dot(all + i * m, r, m)) / of_column / of_r);
  return greatest;
}

}  // namespace xgrad::optim
