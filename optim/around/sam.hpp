// Sharpness-aware minimisation: steps by the gradient at the worst point nearby.
#pragma once

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/optim/optimizer.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::optim {

// With all parameters' gradients g at p, and one norm over all of them:
//   e = rho g / (|g| + 1e-12)                                                    (SAM; Foret et al. 2021)
//   adaptive: e = rho s^2 g / (| s g | + 1e-12), s = |p| + eta                   (ASAM; Kwon et al. 2021: rho of 0.5 to 2, eta 0.01)
// then the optimizer's step at p, with the gradient at p + e. It is a value, and needs no optimizer of its own:
//   const optim::SAM sam{.rho = 0.05};
//   const Tensor loss = sam.step(optimizer, [&] { return nn::cross_entropy(net(x), y); });
// What stands around the optimizer sees the second gradient only.
struct SAM {
  double rho = 0.05;
  bool adaptive = false;
  double eta = 0;

  // Calls the loss twice, of the same numbers: random draws of this thread (dropout) are the same in both. It takes the place of
  // zero_grad(), backward() and step(), and returns the loss at p. On an Error the parameters are where they were; so are they
  // where the gradient is not finite, which is an Error. Layers that count see both passes.
  Tensor step(Optimizer& optimizer, const Callable<Tensor()>& loss, Source source = Source::here()) const;
};

}  // namespace xgrad::optim

#pragma GCC visibility pop
