// Every row of optimizers/table.def: against PyTorch's and the papers' numbers, against the rule run by hand, in files, groups and
// threads.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <set>

#include "helpers.hpp"
#include "optimizers/rows.hpp"
#include "references/references.hpp"

using namespace xgrad;
using helpers::same_bits;
using rows::Row;
using rows::Variable;

namespace {

// ---- the numbers of others: 100 steps, gradient = 0.3 p + noise; b has none in every third step

const references::File& file() {
  static const references::File made("optimizers100");
  return made;
}
std::vector<std::string> names_of(const Row& r) {
  return r.of_matrices ? std::vector<std::string>{"a", "e"} : std::vector<std::string>{"a", "b", "c", "d"};
}
Tensor gradient(const std::string& name, const Tensor& p, Size t) {
  return name == "b" && t % 3 == 0 ? Tensor() : 0.3 * p + file()[name + ".noise"][t - 1];
}
constexpr Size steps = 100, halved = 61;  // the rate is halved before step 61
bool is_seen(Size t) { return t == 1 || t == 2 || t == 10 || t == steps; }

Tensor joined(const Tensors& list) {
  Tensors flat;
  for (const Tensor& x : list) flat.push_back(reshape(x, {x.numel()}));
  return concat(flat);
}
// Of the greatest number.
double distance(const Tensor& got, const Tensor& wanted) {
  return (amax(abs(got - wanted)) / amax(abs(wanted))).item();
}
// What rounding may come to: in 10 steps, and in 100. Prodigy and D-Adaptation find their rate by a difference; a root of products
// that are nearly singular loses digits.
double allowed(const Row& r, Size t) {
  if (r.name == "DAdaptAdam" || r.name == "Prodigy") return t > 10 ? 1e-7 : 1e-10;
  if (r.name == "Shampoo" || r.name == "SOAP") return t > 10 ? 1e-9 : 1e-11;
  return t > 10 ? 1e-10 : 1e-13;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_hundred_steps_of_others) {
  for (const Row& r : rows::all()) {
    const std::vector<std::string> names = names_of(r);
    Parameters list;
    std::vector<Parameter> p;
    for (const std::string& name : names) list.add(name, p.emplace_back(parameter(file()[name])));
    const auto optimizer = r.make(list);
    const auto values = [&] {
      Tensors all;
      for (const Parameter& x : p) all.push_back(x);
      return joined(all);
    };
    Size seen = 0;
    std::string wrong;
    const auto compare = [&](const Tensor& wanted, Size t) {
      const double got = distance(values(), wanted);
      if (!(got <= allowed(r, t))) wrong += fmt::format(" step {}: off by {} of the greatest", t, got);
    };
    for (Size t = 1; t <= steps; ++t) {
      if (t == halved) optimizer->set_lr(r.lr / 2);
      optimizer->zero_grad();
      for (std::size_t i = 0; i < p.size(); ++i)
        if (const Tensor g = gradient(names[i], p[i], t); g.defined()) p[i].set_grad(g);
      optimizer->step();
      if (is_seen(t)) compare(file()[r.key][seen++], t);
    }
    if (r.evaluates) {
      const Tensor trained = values();
      optimizer->eval();
      compare(file()[r.key + " evaluated"], steps);
      optimizer->train();
      if (!same_bits(values(), trained)) wrong += " train() after eval()";
    }
    BOOST_TEST(wrong == "", r.key << ":" << wrong);
  }
}

// The comparison above sees what is wrong: in one row of each rule at least.
BOOST_AUTO_TEST_CASE(mutants_are_seen) {
  std::map<std::string, bool> seen;
  const auto run = [&](const Row& r, const std::string& what, double lr_times,
                       const std::function<void(Variable&)>& before, const std::function<void(Variable&)>& after) {
    const std::vector<std::string> names = names_of(r);
    std::vector<Variable> all;
    std::vector<Variable*> pointers;
    for (const std::string& name : names) all.push_back(r.begin(file()[name]));
    for (Variable& x : all) pointers.push_back(&x);
    Tensors shared = r.begin_shared();
    double lr = r.lr * lr_times;
    Size at = 0;
    bool differs = false;
    for (Size t = 1; t <= steps && !differs; ++t) {
      if (t == halved) lr /= 2;
      for (std::size_t i = 0; i < all.size(); ++i) {
        all[i].g = gradient(names[i], all[i].p, t);
        if (all[i].g.defined()) before(all[i]);
      }
      r.step(pointers, shared, lr);
      for (Variable& x : all)
        if (x.g.defined()) after(x);
      if (!is_seen(t)) continue;
      Tensors p;
      for (const Variable& x : all) p.push_back(x.p);
      differs = !(distance(joined(p), file()[r.key][at++]) <= allowed(r, t));
    }
    if (r.evaluates && !differs) {
      Tensors p;
      for (const Variable& x : all) p.push_back(r.evaluated(x, lr));
      differs = !(distance(joined(p), file()[r.key + " evaluated"]) <= allowed(r, steps));
    }
    seen[r.name + ": " + what] |= differs;
  };
  const auto nothing = [](Variable&) {};
  std::set<std::string> right;
  for (const Row& r : rows::all()) {
    run(r, "right", 1, nothing, nothing);
    right.insert(r.name + ": right");
    run(
        r, "g", 1, [](Variable& x) { x.g = x.g * (1 + 1e-3) + 1e-3; }, nothing);
    run(r, "p", 1, nothing, [](Variable& x) { x.p = x.p * (1 + 1e-6); });
    if (!r.keeps_lr) run(r, "lr", 1 + 1e-6, nothing, nothing);
    for (std::size_t k = 0; k < r.slots.size(); ++k)
      run(r, r.slots[k], 1, nothing, [k](Variable& x) {
        Tensor& slot = x.slots.begin()[k];
        slot = 0.5 * slot + 0.01;
      });
  }
  for (const auto& [what, differs] : seen) BOOST_TEST(differs == (right.count(what) == 0), what);
}

// ---- the rule by hand

namespace {

const std::vector<Shape> any_shapes{{}, {0}, {1}, {7}, {3, 5}, {600}, {2, 4, 3}, {3, 0}, {40, 30}},
    matrix_shapes{{3, 5}, {5, 3}, {1, 7}, {7, 1}, {1, 1}, {0, 4}, {4, 0}, {40, 30}};

// A group of an optimizer, and the same by hand.
struct Group {
  const Row* row;
  std::vector<Parameter> trained;
  std::vector<Variable> by_hand;
  Tensors shared;

  void add(const Shape& shape, DType dtype) {
    trained.push_back(parameter(randn(shape, dtype)));
    by_hand.push_back(row->begin(trained.back()));
  }
  Parameters list(std::size_t from) const {
    Parameters all;
    for (const Parameter& p : trained) all.add(std::to_string(from++), const_cast<Parameter&>(p));
    return all;
  }
  // Some have no gradient, and the first of some are zeros. Has one any?
  bool set_gradients(Size t) {
    bool any = false;
    for (std::size_t i = 0; i < trained.size(); ++i) {
      Parameter& p = trained[i];
      Tensor g = randn(p.shape(), p.dtype());
      if (by_hand[i].t == 0 && i % 3 == 1) g = zeros_like(g);
      p.zero_grad();
      by_hand[i].g = Tensor();
      if ((static_cast<std::size_t>(t) + i) % 4 == 0) continue;
      p.set_grad(g);
      by_hand[i].g = p.grad();
      any = true;
    }
    return any;
  }
  void step_by_hand(double lr) {
    std::vector<Variable*> all;
    for (Variable& x : by_hand) all.push_back(&x);
    row->step(all, shared, lr);
  }
  std::string difference() const {
    for (std::size_t i = 0; i < trained.size(); ++i) {
      const std::string which = fmt::format("{} {}", name(trained[i].dtype()), trained[i].shape());
      if (!same_bits(trained[i], by_hand[i].p)) return which + " has other bits";
      if (trained[i].numel() > 0 && !std::isfinite(sum(abs(trained[i])).item())) return which + " is not finite";
    }
    return {};
  }
};

Group group_of(const Row& r) { return {&r, {}, {}, r.begin_shared()}; }
std::vector<Shape> shapes_of(const Row& r) {
  std::vector<Shape> shapes = r.of_matrices ? matrix_shapes : any_shapes;
  if (r.name == "Shampoo") std::erase(shapes, Shape{600});  // its root would take most of the time of all
  return shapes;
}

}  // namespace

BOOST_AUTO_TEST_CASE(by_hand_and_from_files) {
  manual_seed(7);
  for (const Row& r : rows::all()) {
    Group group = group_of(r);
    for (const Shape& shape : shapes_of(r))
      for (const DType dtype : {f64, f32}) group.add(shape, dtype);
    auto optimizer = r.make(group.list(0));
    std::string off;
    for (Size t = 1; t <= 30 && off.empty(); ++t) {
      if (t == 20) optimizer->set_lr(optimizer->lr() / 2);
      if (t == 12) {  // goes on from a file as if nothing had been
        optimizer->save("state.safetensors");
        optimizer = r.make(group.list(0));
        optimizer->load("state.safetensors");
      }
      group.set_gradients(t);
      optimizer->step();
      group.step_by_hand(optimizer->lr());
      if (off = group.difference(); !off.empty()) off = fmt::format("step {}: {}", t, off);
    }
    BOOST_TEST(off == "", r.key << ", " << off);
    if (!off.empty()) continue;
    const NamedTensors state = optimizer->state();
    std::size_t at = 2;
    const auto check = [&](const Tensor& wanted) {
      BOOST_TEST(same_bits(state[at].value, wanted), r.key << " " << state[at].name);
      ++at;
    };
    for (const Variable& x : group.by_hand) {
      BOOST_TEST(state[at++].value.to_vector<Size>()[0] == x.t, r.key);
      for (const Tensor& slot : x.slots) check(slot);
      for (const double number : x.numbers) check(tensor(number));
    }
    for (const Tensor& shared : group.shared) check(shared);
    BOOST_TEST(at == state.size(), r.key);
    optimizer->eval();
    for (std::size_t i = 0; i < group.trained.size(); ++i) {
      const Variable& x = group.by_hand[i];
      if (x.p.numel() > 0)
        BOOST_TEST(same_bits(group.trained[i], r.evaluated(x, optimizer->lr())), r.key << " evaluated");
    }
  }
}

BOOST_AUTO_TEST_CASE(groups_of_all_kinds) {
  manual_seed(10);
  const auto below = [](std::size_t n) { return static_cast<std::size_t>(randint(0, n, {}).item()); };
  const std::vector<Row> table = rows::all();
  std::map<std::string, std::vector<const Row*>> rules;
  for (const Row& r : table) rules[r.name].push_back(&r);
  for (const auto& [name, own] : rules)
    for (int round = 0; round < 3; ++round) {
      std::vector<Group> groups;
      std::vector<Parameters> lists;
      std::size_t count = 0;
      for (std::size_t g = 1 + below(4); g > 0; --g) {
        groups.push_back(group_of(*own[below(own.size())]));
        const std::vector<Shape> shapes = shapes_of(*groups.back().row);
        for (std::size_t n = 1 + below(6); n > 0; --n)
          groups.back().add(shapes[below(shapes.size())], below(2) ? f64 : f32);
      }
      for (const Group& g : groups) {
        lists.push_back(g.list(count));
        count += g.trained.size();
      }
      const auto optimizer = groups[0].row->make(lists[0]);
      for (std::size_t g = 1; g < groups.size(); ++g) groups[g].row->add(*optimizer, lists[g]);
      for (Size t = 1; t <= 8; ++t) {
        bool any = false;
        for (Group& g : groups) any |= g.set_gradients(t + static_cast<Size>(below(4)));
        if (!any) continue;
        const Size one = static_cast<Size>(below(groups.size()));
        optimizer->set_lr(groups[static_cast<std::size_t>(one)].row->lr * (0.5 + rand({}, f64).item()), one);
        optimizer->step();
        for (std::size_t g = 0; g < groups.size(); ++g) {
          groups[g].step_by_hand(optimizer->lr(static_cast<Size>(g)));
          const std::string off = groups[g].difference();
          BOOST_TEST_REQUIRE(off == "", groups[g].row->key << ", group " << g << ", step " << t << ": " << off);
        }
      }
    }
}

BOOST_AUTO_TEST_CASE(on_any_number_of_threads) {
  manual_seed(9);
  const int before = threads();
  for (const Row& r : rows::all()) {
    if (r.key != r.name) continue;  // its defaults
    const Shape shape = r.name == "Shampoo" ? Shape{97, 301} : Shape{301, 299};
    const Tensor start = evaluate(randn(shape)), g = evaluate(randn(shape)), little = evaluate(randn({5, 3}));
    Tensors wanted;
    for (const int n : {1, 2, 3}) {
      set_threads(n);
      Parameter a = parameter(start), b = parameter(little);
      const auto optimizer = r.make({a, b});
      for (int i = 0; i < 3; ++i) {
        a.set_grad(g * (1.0 + i));
        b.set_grad(little);
        optimizer->step();
      }
      if (n == 1) wanted = {a, b};
      BOOST_TEST((same_bits(a, wanted[0]) && same_bits(b, wanted[1])), r.name << " on " << n);
    }
  }
  set_threads(before);
}

// ---- options that make no sense

BOOST_AUTO_TEST_CASE(bad_options) {
  Parameter w = parameter(ones({2, 2})), vector = parameter(ones({3}));
  std::set<std::string> refused;
  for (const rows::Refusal& bad : rows::refusals()) {
    refused.insert(bad.rule);
    const std::string what = fmt::format("{} {} = {}", bad.rule, bad.option, bad.value);
    CHECK_ERROR(bad.make(w), fmt::format("[{}] expected {}", bad.rule, bad.expected));
    w.set_grad(ones({2, 2}));
    CHECK_ERROR(bad.step_after_change(w), bad.option == "lr" ? "expected lr to be changed by set_lr()" : bad.expected);
    BOOST_TEST(same_bits(w, ones({2, 2})), what);
  }
  for (const auto& table : {rows::all(), rows::of_loss()})
    for (const rows::Row& row : table)
      if (row.name.find('<') == std::string::npos)  // else made of another rule
        BOOST_TEST(refused.count(row.name), row.name << " has no row in optimizers/bad_options.def");
  CHECK_ERROR(optim::RMSprop({w}, {.eps = 1e-50}), "[RMSprop] expected the eps to be in the range of f32");
  CHECK_ERROR(optim::Muon({w}, {.steps = -1}), "[Muon] expected steps of 0 or more, got -1");
  CHECK_ERROR(optim::Muon({w, vector}),
              "[Muon] expected matrices, got (3,) for 1; give what is no matrix to another optimizer");
  optim::Muon muon({w});
  CHECK_ERROR(muon.add_group({vector}), "[Muon] expected matrices, got (3,) for 0");
  BOOST_TEST(muon.groups() == 1);
  CHECK_ERROR(optim::AdamMini({w}, {.rows = 0}), "[AdamMini] expected 1 row or more, got 0");
  CHECK_ERROR(optim::AdamMini({vector}, {.rows = 2}),
              "[AdamMini] expected a first axis of a multiple of 2 rows, got (3,) for 0");
  CHECK_ERROR(optim::Shampoo({w}, {.max_preconditioner_dim = 0}),
              "[Shampoo] expected max_preconditioner_dim of 1 or more");
  CHECK_ERROR(optim::Shampoo({w}, {.precondition_frequency = 0}),
              "[Shampoo] expected precondition_frequency of 1 or more");
  Parameter steep = parameter(ones({2, 2}, f64));  // the square of its gradient is infinite
  optim::Shampoo shampoo({steep});
  optim::SOAP soap({steep});
  for (optim::Optimizer* optimizer : std::initializer_list<optim::Optimizer*>{&shampoo, &soap}) {
    steep.set_grad(full({2, 2}, 1e200, f64));
    CHECK_ERROR(optimizer->step(), optimizer == &soap ? "[SOAP] " : "[Shampoo] ");
    BOOST_TEST(helpers::line_of_error([&] { optimizer->step(); }) == __LINE__);
    BOOST_TEST(same_bits(steep, ones({2, 2}, f64)));
  }
  CHECK_ERROR(optim::SOAP({w}, {.max_precond_dim = -1}), "[SOAP] expected max_precond_dim of 0 or more");
  CHECK_ERROR(optim::SOAP({w}, {.precondition_frequency = 0}), "[SOAP] expected precondition_frequency of 1 or more");
}
