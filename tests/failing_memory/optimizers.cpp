#include "step.hpp"

namespace failing_memory {
namespace {

// With what may stand around it.
template <class Rule>
struct Surrounded : Step<Rule> {
  optim::RequireFinite finite{this->rule, {.skip = true}};
  optim::Accumulate parts{this->rule, {.steps = 2}};
  optim::ClipNorm clip{this->rule, {.max_norm = 1e-2}};
  optim::GradientNoise noise{this->rule};
  optim::Lookahead lookahead{this->rule, {.steps = 2}};
  optim::EMA ema{this->rule, {.decay = 0.5}};
  explicit Surrounded(int calls) : Step<Rule>(8, 5, 7) {
    for (int i = 0; i < calls; ++i) Step<Rule>::act();
  }
};
template <class Rule>
struct Climbing : Step<Rule> {
  Climbing() : Step<Rule>(8, 5, 7) {}
  void act() override {
    optim::SAM{}.step(this->rule, [this] { return nn::cross_entropy(this->net(this->x), this->labels); });
  }
};

// The common length of all gradients, averaged, is divided away.
struct Together {
  double lr = 0.1;
  static constexpr const char* slots[] = {"velocity"};
  static constexpr const char* shared[] = {"length"};
  void update_all(std::vector<optim::Member>& all, Tensors& group, const optim::Step& s) const {
    Tensor total = 0.0;
    for (const optim::Member& x : all) total = total + sum(square(x.g));
    group[0] = 0.9 * group[0] + 0.1 * sqrt(total);
    for (optim::Member& x : all) {
      x.slots[0] = 0.9 * x.slots[0] + x.g / group[0];
      x.p = x.p - s.lr * x.slots[0];
    }
  }
};
struct Averaged {
  double lr = 0.1;
  static constexpr const char* slots[] = {"average"};
  static constexpr bool elementwise = true;
  Tensor first(std::size_t, const Tensor& p) const { return p; }
  void update(Tensor& p, const Tensor& g, Tensor& average, const optim::Step& s) const {
    p = p - s.lr * g;
    average = 0.9 * average + 0.1 * p;
  }
  Tensor evaluated(const Tensor&, const Tensors& slots, const optim::Step&) const { return slots[0]; }
};
struct Evaluate : Step<optim::Descent<Averaged>> {
  bool back;
  explicit Evaluate(bool and_back) : Step(8, 5, 7), back(and_back) {
    Step::act();
    if (back) rule.eval();
  }
  void act() override { back ? rule.train() : rule.eval(); }
  Tensors look() override {
    Tensors all;
    for (const auto& p : nn::parameters(net)) all.push_back(p.value());
    return all;
  }
};

}  // namespace

std::vector<Kind> optimizer_kinds() {
  // clang-format off
  return {
      {"Adam", step<optim::Adam>(8, 5, 7)},
      {"Adam, regions", step<optim::Adam>(300, 20, 40)},
      {"SGD", step<optim::SGD>(8, 5, 7)},
      {"AdamW, large products", step<optim::AdamW>(160, 130, 140)},
      {"RMSprop", step<optim::RMSprop>(8, 5, 7)},
      {"Adan, regions", step<optim::Adan>(300, 20, 40)},
      {"LAMB", step<optim::LAMB>(8, 5, 7)},
      {"Adafactor", step<optim::Adafactor>(8, 5, 7)},
      {"Adam, surrounded, that waits", [] { return manual_seed(5), std::make_unique<Surrounded<optim::Adam>>(0); }},
      {"Adam, surrounded", [] { return manual_seed(5), std::make_unique<Surrounded<optim::Adam>>(3); }},
      {"LAMB, surrounded", [] { return manual_seed(5), std::make_unique<Surrounded<optim::LAMB>>(3); }},
      {"SAM", [] { return manual_seed(5), std::make_unique<Climbing<optim::Adam>>(); }},
      {"a rule of all parameters", step<optim::Descent<Together>>(8, 5, 7)},
      {"weights to be judged by", [] {
         manual_seed(5);
         return std::make_unique<Evaluate>(false);
       }},
      {"weights to be trained", [] {
         manual_seed(5);
         return std::make_unique<Evaluate>(true);
       }},
  };
  // clang-format on
}

}  // namespace failing_memory
