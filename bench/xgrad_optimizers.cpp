// xgrad's side: a step of each optimizer of optimizers.def.
#include <memory>

#include <xgrad/autodiff.hpp>
#include "bench/worker.hpp"
#include <xgrad/optim.hpp>

namespace bench {
namespace {

using namespace xgrad;

template <class Optimizer>
Work step_of(const std::string& name, const typename Optimizer::Options& options) {
  return {"step." + name, [=] {
            auto p = std::make_shared<Parameter>(parameter(tensor(uniform(million, -1, 1, 0))));
            p->set_grad(tensor(uniform(million, -1, 1, 1000)));
            auto optimizer = std::make_shared<Optimizer>(Parameters{*p}, options);
            return Running{[=] { optimizer->step(); },
                           [=] { return sample(p->value().to_vector<float>().data(), million); }};
          }};
}

}  // namespace

void add_optimizers(std::vector<Work>& works) {
#define STEP(Name, torch, ...) works.push_back(step_of<optim::Name>(#Name, {__VA_ARGS__}));
#include "bench/optimizers.def"
}

}  // namespace bench
