// Rules of a user's own that fail in mid-step, that are not what they say, or whose options are changed later.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/optim.hpp>
#include "helpers.hpp"
#include "references/references.hpp"
#include "states.hpp"

using namespace xgrad;
using helpers::line_of_error;
using helpers::same_bits;
using optim::Descent;

namespace {

// clang-format off
enum class Fault { none, thrown, not_a_number, shape, dtype, empty, slot_shape, slot_gone, slot_new, shared_gone, member_gone, shared_shape };
// clang-format on
Fault fault = Fault::none;
int updates = 0;  // of one step; the second meets the fault

bool meets_fault() { return fault != Fault::none && ++updates == 2; }
void spoil(Tensor& p, Tensors& slots) {
  if (fault == Fault::thrown) throw std::runtime_error("no");
  if (fault == Fault::not_a_number && std::isnan(sum(log(0 * sum(p) - 1)).item())) fail(Source::here(), "[Faulty] NaN");
  if (fault == Fault::shape) p = sum(p);
  if (fault == Fault::dtype) p = cast(p, p.dtype() == f32 ? f64 : f32);
  if (fault == Fault::empty) p = Tensor();
  if (fault == Fault::slot_shape) slots[0] = concat({slots[0], slots[0]});
  if (fault == Fault::slot_gone) slots = {};
  if (fault == Fault::slot_new) slots.push_back(p);
}
struct Whole {
  double lr = 0.1;
  static constexpr const char* name = "Whole";
  std::vector<const char*> slot_names() const { return {"v"}; }
  void update(Tensor& p, const Tensor& g, Tensors& slots, const optim::Step& step) const {
    slots[0] = slots[0] + g / (norm(g) + 1);
    p = p - step.lr * slots[0];
    if (meets_fault()) spoil(p, slots);
  }
};
struct Elementwise {
  double lr = 0.1;
  static constexpr const char* name = "Elementwise";
  static constexpr bool elementwise = true;
  std::vector<const char*> slot_names() const { return {"v"}; }
  void update(Tensor& p, const Tensor& g, Tensors& slots, const optim::Step& step) const {
    slots[0] = slots[0] + g;
    p = p - step.lr * slots[0];
    if (p.dtype() == f32) spoil(p, slots);  // the second group's
  }
};
struct Together {
  double lr = 0.1;
  static constexpr const char* name = "Together";
  static constexpr const char* slots[] = {"v"};
  static constexpr const char* shared[] = {"total"};
  void update_all(std::vector<optim::Member>& all, Tensors& group, const optim::Step& step) const {
    for (optim::Member& x : all) {
      group[0] = group[0] + sum(square(x.g));
      x.slots[0] = x.slots[0] + x.g;
      x.p = x.p - step.lr * x.slots[0] / sqrt(group[0]);
      if (meets_fault()) spoil(x.p, x.slots);
    }
    if (fault == Fault::shared_gone) group = {};
    if (fault == Fault::shared_shape) group[0] = ones({2});
    if (fault == Fault::member_gone) all.pop_back();
  }
};

// A step that fails, and then one that does not: as if the first had not been.
template <class Rule>
void fails_and_goes_on(Fault what, const char* message) {
  manual_seed(6);
  Parameter a = parameter(randn({300, 5}, f64)), b = parameter(randn({4}, f64)), c = parameter(randn({4}, f32));
  Parameter a2 = a, b2 = b, c2 = c;
  Descent<Rule> optimizer({a, b}), twin({a2, b2});
  optimizer.add_group({c}), twin.add_group({c2});
  for (int t = 0; t < 4; ++t) {
    for (const auto& [x, y] : {std::pair{&a, &a2}, {&b, &b2}, {&c, &c2}}) {
      x->set_grad(randn(x->shape(), x->dtype()));
      y->set_grad(x->grad());
    }
    fault = what, updates = 0;
    std::string said;
    try {
      optimizer.step();
    } catch (const std::exception& e) {
      said = e.what();
    }
    fault = Fault::none;
    BOOST_TEST(said.find(message) != std::string::npos,
               Rule::name << ": '" << said << "' says nothing of '" << message << "'");
    BOOST_TEST(
        (same_bits(a, a2) && same_bits(b, b2) && same_bits(c, c2) && states::same(optimizer.state(), twin.state())),
        message);
    optimizer.step(), twin.step();
    BOOST_TEST(
        (same_bits(a, a2) && same_bits(b, b2) && same_bits(c, c2) && states::same(optimizer.state(), twin.state())),
        message);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_step_that_fails_changes_nothing) {
  fails_and_goes_on<Whole>(Fault::thrown, "no");
  fails_and_goes_on<Whole>(Fault::not_a_number, "[Faulty] NaN");
  fails_and_goes_on<Whole>(Fault::shape, "[Whole] its update gave f64 () for the parameter of 1, which is f64 (4,)");
  fails_and_goes_on<Whole>(Fault::dtype, "[Whole] its update gave f32 (4,) for the parameter of 1, which is f64 (4,)");
  fails_and_goes_on<Whole>(Fault::empty, "[Whole] its update gave an empty tensor for the parameter of 1");
  fails_and_goes_on<Whole>(Fault::slot_shape, "[Whole] its update gave f64 (8,) for v of 1, which is f64 (4,)");
  fails_and_goes_on<Whole>(Fault::slot_gone, "[Whole] its update left 0 slots where 1 came");
  fails_and_goes_on<Whole>(Fault::slot_new, "[Whole] its update left 2 slots where 1 came");
  fails_and_goes_on<Elementwise>(Fault::thrown, "no");
  fails_and_goes_on<Elementwise>(Fault::not_a_number, "[item] Elementwise says that it is elementwise");
  fails_and_goes_on<Elementwise>(Fault::shape, "[Elementwise] says that it is elementwise");
  fails_and_goes_on<Elementwise>(Fault::empty, "[Elementwise] the formula left operand 0 empty");
  fails_and_goes_on<Elementwise>(Fault::slot_gone, "[Elementwise] the formula changed the number of its operands");
  fails_and_goes_on<Elementwise>(Fault::slot_new, "[Elementwise] the formula changed the number of its operands");
  fails_and_goes_on<Together>(Fault::thrown, "no");
  fails_and_goes_on<Together>(Fault::shape, "[Together] its update gave f64 () for the parameter of 1");
  fails_and_goes_on<Together>(Fault::slot_shape, "[Together] its update gave f64 (8,) for v of 1");
  fails_and_goes_on<Together>(Fault::slot_gone, "[Together] its update left 0 slots where 1 came");
  fails_and_goes_on<Together>(Fault::slot_new, "[Together] its update left 2 slots where 1 came");
  fails_and_goes_on<Together>(Fault::shared_gone,
                              "[Together] its update left 0 tensors of the group's state where 1 came");
  fails_and_goes_on<Together>(Fault::shared_shape,
                              "[Together] its update gave f32 (2,) for total of the group, which is f64 ()");
  fails_and_goes_on<Together>(Fault::member_gone, "[Together] its update left 1 parameters where 2 came");
}

namespace {

struct Normalised {
  double lr = 0.1;
  static constexpr const char* name = "Normalised";
  static constexpr bool elementwise = true;
  static constexpr int line = __LINE__ + 1;
  void update(Tensor& p, const Tensor& g, const optim::Step& step) const { p = p - step.lr * g / norm(g); }
};
struct Product {
  double lr = 0.1;
  static constexpr const char* name = "Product";
  static constexpr bool elementwise = true;
  static constexpr int line = __LINE__ + 1;
  void update(Tensor& p, const Tensor& g, const optim::Step& step) const { p = p - step.lr * cumsum(g, 0); }
};
struct Reader {
  double lr = 0.1;
  static constexpr const char* name = "Reader";
  static constexpr bool elementwise = true;
  static constexpr int line = __LINE__ + 1;
  void update(Tensor& p, const Tensor& g, const optim::Step&) const { p = p - g.to_vector<double>()[0] * g; }
};
struct OfItsOwn {
  double lr = 0.1;
  static constexpr const char* name = "OfItsOwn";
  static constexpr bool elementwise = true;
  static constexpr const char* slots[] = {"m"};
  Tensor first(std::size_t, const Tensor&) const { return zeros({2}); }
  void update(Tensor&, const Tensor&, Tensor&, const optim::Step&) const {}
};

}  // namespace

BOOST_AUTO_TEST_CASE(elementwise_rules_that_are_not) {
  Parameter w = parameter(ones({3}, f64));
  const auto refused = [&](auto rule, const char* message, int line) {
    Descent optimizer({w}, rule);
    w.set_grad(ones({3}, f64));
    const NamedTensors before = optimizer.state();
    CHECK_ERROR(optimizer.step(), message);
    BOOST_TEST(line_of_error([&] { optimizer.step(); }) == line, message);
    BOOST_TEST(same_bits(w, ones({3}, f64)));
    BOOST_TEST(optimizer.state()[2].value.item() == 0);
  };
  refused(Normalised{}, "[Normalised] says that it is elementwise, but norm is not", Normalised::line);
  refused(Product{}, "[Product] says that it is elementwise, but cumsum is not", Product::line);
  refused(Reader{}, "Reader says that it is elementwise", Reader::line);
  CHECK_ERROR(Descent<OfItsOwn>({w}),
              "[OfItsOwn] the first m of 0 is f32 (2,), but the rule says that it is elementwise");
}
BOOST_AUTO_TEST_CASE(options_that_are_changed_later) {
  Parameter a = parameter(1.0), b = parameter(1.0f);
  const auto step = [&](optim::Optimizer& optimizer, const char* message) {
    a.set_grad(tensor(1.0)), b.set_grad(tensor(1.0f));
    const NamedTensors before = optimizer.state();
    const Tensor of_a = a, of_b = b;
    if (!*message) return optimizer.step();
    CHECK_ERROR(optimizer.step(), message);
    BOOST_TEST((same_bits(a, of_a) && same_bits(b, of_b)));
    for (std::size_t i = 0; i < before.size(); ++i) BOOST_TEST(same_bits(optimizer.state()[i].value, before[i].value));
  };
  optim::SGD sgd({a}, {.lr = 0.5});
  sgd.add_group({b}, {.lr = 0.5, .momentum = 0.9});
  sgd.rule(0).weight_decay = 1;
  step(sgd, "");
  BOOST_TEST(a.item() == 0);
  BOOST_TEST(b.item() == 0.5);
  sgd.rule(0).momentum = 0.9;
  step(sgd, "[SGD] the options of group 0 were changed to some that need other state (momentum_buffer) than it has ()");
  step(sgd, "need other state");
  sgd.rule(0).momentum = 0;
  sgd.rule(1).momentum = 0.5;
  step(sgd, "");
  BOOST_TEST(b.item() == -0.25);  // 0.5 - 0.5 (0.5 + 1)
  sgd.rule(1).momentum = -1;
  step(sgd, "[SGD] expected a finite momentum of 0 or more, got -1");
  sgd.rule(1).momentum = 0.5;
  sgd.rule(1).lr = 0.1;
  step(sgd, "[SGD] expected lr to be changed by set_lr(), which schedules know of, got 0.1");
  sgd.rule(1).lr = 0.5;
  step(sgd, "");
  CHECK_ERROR(sgd.rule(2), "[SGD] expected a group's number, 0 ... 1, got 2");
  CHECK_ERROR(sgd.rule(-1), "[SGD] expected a group's number, 0 ... 1, got -1");
  optim::SGD moved = std::move(sgd);
  CHECK_ERROR(sgd.rule(), "moved from");
  moved.rule().weight_decay = 0;
  step(moved, "");
  optim::RMSprop rmsprop({a, b});
  rmsprop.rule().eps = 1e-50;
  step(rmsprop, "[RMSprop] expected the eps to be in the range of f32");
  rmsprop.rule().eps = 1e-8;
  rmsprop.rule().centered = true;
  step(rmsprop, "need other state (square_avg, grad_avg) than it has (square_avg)");
}
