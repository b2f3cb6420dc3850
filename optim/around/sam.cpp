#include <xgrad/optim/around/sam.hpp>

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include <xgrad/autodiff/lengths.hpp>
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::optim {
namespace {

Tensor loss_of(const Callable<Tensor()>& loss, Source source) {
  Tensor value = loss();
  if (!value.defined()) fail(source.named("SAM"), "the loss gave an empty tensor; return a number");
  return value;
}

// The gradients where it has climbed to.
void check_climbed(const Parameters& some, const Tensor& loss, Source source) {
  const NoGrad constant;
  Tensors gradients;
  for (const Parameters::Entry& p : some)
    gradients.push_back(p.grad().defined() ? p.grad().detach(source) : zeros({}, p.value().dtype()));
  const std::vector<double> greatest = lengths_of(gradients, std::numeric_limits<double>::infinity(), source);
  std::size_t k = 0;
  for (const Parameters::Entry& p : some)
    if (!std::isfinite(greatest[k++]))
      fail(
          source.named("SAM"),
          "the gradient of {} is not finite at the point it has climbed to, where the loss is {}, so no step was taken; lower rho "
          "or the learning rate, or leave such steps out (RequireFinite with skip)",
          p.name, loss.item(source));
}

// Parameters at other values; back at their own in the end, without any memory to be taken.
class Moved {
 public:
  Moved(const Parameters& parameters, const std::vector<Tensor>& values, Source source) : parameters_(parameters) {
    for (const Parameters::Entry& p : parameters) leaves_.push_back(leaf_of(p));
    assign_all(parameters, values, source);
  }
  ~Moved() {
    std::size_t i = 0;
    for (const Parameters::Entry& p : parameters_) put_back(p, std::move(leaves_[i++]));
  }
  Moved(const Moved&) = delete;
  Moved& operator=(const Moved&) = delete;

 private:
  const Parameters& parameters_;
  std::vector<Tensor> leaves_;
};

}  // namespace

Tensor SAM::step(Optimizer& optimizer, const Callable<Tensor()>& loss, Source source) const try {
  const Require require{"SAM", source};
  require.not_negative("rho", rho);
  require.not_negative("eta", eta);
  require(adaptive || eta == 0, "eta only where it is adaptive", eta);
  const RandomPoint random = random_point();
  optimizer.zero_grad();
  Tensor value = loss_of(loss, source);
  optimizer.look_at(value, source);
  value.backward({}, source);

  Parameters some;
  std::vector<Tensor> climbed;
  {
    const NoGrad constant;
    Tensor total = 0.0;
    std::vector<Tensor> directions;  // to where it is worse: down, where a group goes up
    for (Size group = 0; group < optimizer.groups(); ++group)
      for (const Parameters::Entry& p : optimizer.parameters(group, source)) {
        if (!p.grad().defined()) continue;
        some.add(p);
        const Tensor at = p.value().detach(source), climb = p.grad().detach(source);
        const Tensor g = optimizer.maximizes(group, source) ? -climb : climb;
        const Tensor scaled = adaptive ? (abs(at) + eta) * g : g;
        total = total + sum(square(cast(scaled, f64)));
        directions.push_back(adaptive ? (abs(at) + eta) * scaled : g);
      }
    const double length = std::sqrt(total.item(source));
    if (!std::isfinite(length) && !optimizer.refuses_nonfinite(source))
      fail(source.named("SAM"),
           "the norm of the gradients is {}, at a loss of {}, so no step was taken; lower the learning rate, or "
           "look for NaN in the data",
           length, value.item(source));
    if (std::isfinite(length) && length > 0 && rho > 0) {
      std::size_t k = 0;
      for (const Parameters::Entry& p : some)
        climbed.push_back(p.value().detach(source) + (rho / (length + 1e-12)) * directions[k++]);
      evaluate(Tensors(climbed), source);
    }
  }
  if (!climbed.empty()) {
    const Moved moved(some, climbed, source);
    optimizer.zero_grad();
    go_to(random);
    const Tensor there = loss_of(loss, source);
    optimizer.look_at(there, source);
    there.backward({}, source);
    if (!optimizer.refuses_nonfinite(source)) check_climbed(some, there, source);
  }
  optimizer.step(source);
  return value;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "SAM");
}

}  // namespace xgrad::optim
