// States of optimizers, with tensors left out, renamed, doubled, of other shapes, dtypes and numbers. They are loaded
// whole or not at all, and who has one steps on.
#include <algorithm>
#include <functional>
#include <limits>
#include <memory>

#include <xgrad/xgrad.hpp>

#include "../programs/run.hpp"
#include "mutator.hpp"
#include "targets.hpp"

namespace fuzz {

namespace {

using namespace xgrad;

// An optimizer and what it trains, with what is saved beside it.
struct Trained {
  Parameter matrix{ones({3, 2})}, row{ones({3})};
  std::unique_ptr<optim::Optimizer> optimizer;
  std::unique_ptr<optim::Scheduler> schedule;

  void step() {
    optimizer->zero_grad();
    (sum(square(matrix)) + sum(row)).backward();
    optimizer->step();
    if (schedule) schedule->step();
  }
};

template <class Optimizer, class Options>
std::function<void(Trained&)> made(Options options) {
  return [=](Trained& t) { t.optimizer = std::make_unique<Optimizer>(Parameters{t.matrix, t.row}, options); };
}

const std::vector<std::function<void(Trained&)>>& kinds() {
  static const std::vector<std::function<void(Trained&)>> all{
      made<optim::SGD>(optim::SGDRule{.lr = 0.1, .momentum = 0.9}),
      made<optim::Adam>(optim::AdamRule{.lr = 0.1, .amsgrad = true}),
      made<optim::Adafactor>(optim::AdafactorRule{}),
      made<optim::Shampoo>(optim::ShampooRule{}),
      made<optim::Prodigy>(optim::ProdigyRule{}),
      made<optim::Rprop>(optim::RpropRule{}),
      [](Trained& t) {
        made<optim::AdamW>(optim::AdamWRule{})(t);
        t.schedule = std::make_unique<optim::CosineAnnealing>(*t.optimizer, optim::CosineOptions{.steps = 7});
      },
  };
  return all;
}

Trained trained(Size kind, int steps) {
  Trained t;
  kinds()[static_cast<std::size_t>(kind)](t);
  for (int i = 0; i < steps; ++i) t.step();
  return t;
}

Tensor odd(Dice& dice, const Tensor& x) {
  const std::vector<double> numbers{
      0, -1, 1, 0.5, 1e300, -1e300, 1e-300, NAN, INFINITY, -INFINITY, 4611686018427387904.0};
  switch (dice.below(6)) {
    case 0: return Tensor();
    case 1: return full(x.shape(), dice.one_of(numbers), f64);
    case 2: return cast(x, dice.one_of(std::vector<DType>{f32, f64, i64, boolean}));
    case 3: return zeros({dice.below(4), dice.below(4)}, x.dtype());
    case 4: return unsqueeze(x, 0);
    default:
      return is_float(x.dtype())
                 ? full(x.shape(), dice.one_of(numbers), x.dtype())
                 : full(x.shape(),
                        dice.one_of(std::vector<Size>{-1, 0, 1, 1000, Size{1} << 53, std::numeric_limits<Size>::max(),
                                                      std::numeric_limits<Size>::min()}),
                        x.dtype());
  }
}

void change(Dice& dice, NamedTensors& state) {
  if (state.empty()) return;
  const auto any = [&]() -> NamedTensor& { return state.begin()[dice.below(static_cast<Size>(state.size()))]; };
  switch (dice.below(5)) {
    case 0: any().name = any().name; return;
    case 1: any().name += dice.chance(0.5) ? "." : "0"; return;
    case 2: std::swap(any().value, any().value); return;
    case 3: state.push_back({any().name, any().value}); return;
    default:
      NamedTensor& entry = any();
      if (entry.value.defined()) entry.value = odd(dice, entry.value);
  }
}

bool same(const NamedTensors& a, const NamedTensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const NamedTensor& x, const NamedTensor& y) {
    return x.name == y.name && programs::difference(x.value, y.value).empty();
  });
}

}  // namespace

std::string run_state(std::uint64_t seed) {
  Dice dice(seed);
  const Size kind = dice.below(static_cast<Size>(kinds().size()));
  const Trained source = trained(kind, static_cast<int>(dice.below(3)));
  NamedTensors state = source.optimizer->state();
  for (Size changes = dice.below(4); changes > 0; --changes) change(dice, state);
  Trained other = trained(kind, static_cast<int>(dice.below(3)));
  const NamedTensors before = other.optimizer->state();
  const std::string wrong = only_errors([&]() -> std::string {
    try {
      other.optimizer->load_state(state);
    } catch (const Error&) {
      return same(other.optimizer->state(), before) ? "" : "a state that was refused has changed the optimizer";
    }
    if (other.optimizer->state().size() != before.size()) return "a state of another length";
    return {};
  });
  if (!wrong.empty()) return wrong;
  return only_errors([&]() -> std::string {
    for (int i = 0; i < 2; ++i) other.step();
    return {};
  });
}

}  // namespace fuzz
