// The n-th request of memory fails, for every n: each time an Error, everything as before, and the next try succeeds.
#define BOOST_TEST_MODULE failing_memory
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <xgrad/autodiff.hpp>
#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/safetensors.hpp>
#include <xgrad/autodiff/threads.hpp>
#include <xgrad/data.hpp>
#include "memory_hooks.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;

namespace {

std::string bytes_of(const Tensors& list) {
  std::string bytes;
  for (const Tensor& t : list) {
    const Tensor c = contiguous(t);
    bytes.append(static_cast<const char*>(readable(c)), static_cast<std::size_t>(c.numel() * item_size(c.dtype())));
  }
  return bytes;
}

// Something that takes memory, on objects of its own.
struct Trial {
  virtual ~Trial() = default;
  virtual void act() = 0;
  virtual Tensors look() = 0;  // what act() changes, and nothing may change that fails
};

struct Net {
  nn::Linear hidden, output;
  Net(Size in, Size wide, Size out) : hidden(in, wide), output(wide, out) {}
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
  XGRAD_FIELDS(hidden, output)
};

template <class Rule>
struct Step : Trial {
  Net net;
  Rule rule;
  Tensor x, labels;
  Step(Size rows, Size in, Size wide)
      : net(in, wide, 3), rule(nn::parameters(net)), x(evaluate(randn({rows, in}))), labels(randint(0, 3, {rows})) {}
  void act() override {
    rule.zero_grad();
    nn::cross_entropy(net(x), labels).backward();
    rule.step();
  }
  Tensors look() override {
    Tensors all;
    for (const auto& p : nn::parameters(net)) all.push_back(p.value());
    for (const auto& s : rule.state()) all.push_back(s.value);
    return all;
  }
};

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

// A result that is not kept where it fails.
struct Value : Trial {
  std::function<Tensors()> f;
  Tensors found;
  explicit Value(std::function<Tensors()> of) : f(std::move(of)) {}
  void act() override {
    Tensors got = f();
    evaluate(got);
    found = std::move(got);
  }
  Tensors look() override { return found; }
};

struct Kind {
  const char* name;
  std::function<std::unique_ptr<Trial>()> make;
};

std::function<std::unique_ptr<Trial>()> value(std::function<Tensors()> f) {
  return [f = std::move(f)] { return std::make_unique<Value>(f); };
}
template <class Rule>
std::function<std::unique_ptr<Trial>()> step(Size rows, Size in, Size wide) {
  return [=] {
    manual_seed(5);
    return std::make_unique<Step<Rule>>(rows, in, wide);
  };
}

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

std::string file(const char* name) {
  return (std::filesystem::current_path() / fmt::format("{}.safetensors", name)).string();
}

struct SaveModel : Trial {
  Net net{5, 7, 3};
  std::string path = file("model");
  SaveModel() { write_safetensors(path, {{"x", ones({3})}}); }
  void act() override { nn::save(net, path); }
  Tensors look() override {
    Tensors all;
    for (const auto& t : read_safetensors(path).tensors) all.push_back(t.value);
    return all;
  }
};
struct LoadModel : Trial {
  Net net{5, 7, 3};
  std::string path = file("loaded");
  LoadModel() { nn::save(Net(5, 7, 3), path); }
  void act() override { nn::load(net, path); }
  Tensors look() override {
    Tensors all;
    for (const auto& p : nn::parameters(net)) all.push_back(p.value());
    return all;
  }
};
struct LoadOptimizer : Step<optim::Adam> {
  std::string path = file("adam");
  LoadOptimizer() : Step(4, 5, 7) {
    act_once();
    rule.save(path);
    act_once();
  }
  void act_once() { Step::act(); }
  void act() override { rule.load(path); }
};
struct SaveOptimizer : Step<optim::Adam> {
  std::string path = file("saved_adam");
  SaveOptimizer() : Step(4, 5, 7) { write_safetensors(path, {{"x", ones({3})}}); }
  void act() override { rule.save(path); }
  Tensors look() override {
    Tensors all;
    for (const auto& t : read_safetensors(path).tensors) all.push_back(t.value);
    return all;
  }
};
std::vector<Kind> kinds() {
  static const Tensor x = evaluate(randn({6, 5}, f64)), large = evaluate(randn({5000})),
                      square_x = evaluate(randn({5, 5}, f64));
  static Parameter w = parameter(randn({5, 4}, f64)), v = parameter(randn({5000}, f64));
  static const CustomOp cube(
      {.name = "cube",
       .forward = [](const Tensors& in) { return in[0] * in[0] * in[0]; },
       .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) { return Tensors{3 * g * in[0] * in[0]}; }});
  const auto f = [](const Tensor& t) { return sum(exp(t) * t); };
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
      {"a region", value([] { return Tensors{tanh(large) * 2 + large, sum(large * 3), mean(exp(large))}; })},
      {"many results", value([] {
         Tensors all;
         for (int i = 0; i < 70; ++i) all.push_back(large * i + 1);
         return all;
       })},
      {"many waiting", value([] {
         Tensor total = large;
         for (int i = 0; i < 4200; ++i) total = total * 0.5f + large;
         return Tensors{total};
       })},
      {"views", value([] {
         return Tensors{contiguous(flip(transpose(x), 0)), reshape(transpose(x), {10, 3}), concat({x, x}), stack({x, x})};
       })},
      {"many axes", value([] {
         const Tensor deep = reshape(x, {1, 1, 1, 6, 1, 5, 1, 1, 1});
         return Tensors{transpose(deep, 3, 5) * 2, sum(deep, 5), flip(deep, 3)};
       })},
      {"indices", value([] {
         manual_seed(2);
         return Tensors{index_select(x, 0, arange(3)), gather(x, 1, zeros({6, 2}, i64)), cumsum(x, 0), randperm(40)};
       })},
      {"linear algebra", value([] {
         const Tensor wide = eye(20, f64) * 3.0 + 0.1, batch = expand(wide, {3, 20, 20});
         return Tensors{cholesky(square_x * 0.1 + 3.0 * eye(5, f64)), solve(batch, wide), inv(wide), det(wide), slogdet(wide)[1],
                        eigh(wide)[0],  eigh(square_x)[0], solve_triangular(wide, wide)};
       })},
      {"order", value([] { return Tensors{sort(large)[0], argsort(x, 0), topk(x, 2)[1]}; })},
      {"convolutions and pools", value([] {
         const Tensor image = watch(reshape(arange(0.0, 2 * 3 * 9 * 8), {2, 3, 9, 8}) * 0.01), kernel = watch(full({4, 3, 3, 2}, 0.5));
         const Tensor y = max_pool2d(conv2d(image, kernel, full({4}, 0.1), {.stride = 2, .padding = 1}), 2, {.ceil_mode = true});
         const Tensors g = grad(sum(square(avg_pool2d(y, 2, {.ceil_mode = true}))), {image, kernel});
         return Tensors{y, g[0], g[1], conv_transpose2d(y, kernel, {.dilation = 2})};
       })},
      {"running products, axes and norms", value([] {
         const Tensor x = watch(reshape(arange(1.0, 121.0), {4, 5, 6}) * 0.01);
         return Tensors{grad(sum(cumprod(x, 1)), {x})[0], var(x, {0, 2}), norm(x, 3, {0, 2}), argmax(x, {0, 2}), prod(x, {0, 2}), lerp(x, 2 * x, 0.25)};
       })},
      {"backward", value([] {
         v.zero_grad();
         const Tensor loss = sum(tanh(v) * v);
         loss.backward();
         return Tensors{v.grad(), loss};
       })},
      {"grad of grad", value([] {
         const Tensor y = sum(sin(w)) * mean(v * v);
         const Tensors first = grad(y, {w, v}, {.create_graph = true});
         return Tensors{grad(sum(first[0]) + sum(first[1]), {w})[0]};
       })},
      {"transforms", value([f] {
         const ValueAndGrad at = value_and_grad(f, x);
         return Tensors{at.value, at.grad, hvp(f, x, x), vjp(f, x).pullback(1.0), jvp(f, x, x).tangent};
       })},
      {"jacobian and hessian", value([f] {
         return Tensors{jacobian([](const Tensor& t) { return matmul(t, square_x); }, x), hessian(f, square_x)};
       })},
      {"vmap", value([f] {
         const Tensors both = vmap([&](const Tensors& in) { return Tensors{hessian(f, in[0]), grad(sum(matmul(in[0], w)), {w})[0]}; },
                                   {stack({x, 2 * x})});
         return Tensors{both[0], both[1], vmap([](const Tensor& t) { return matmul(cube(t), w); }, stack({x, x}))};
       })},
      {"checkpoint", value([] {
         v.zero_grad();
         sum(checkpoint([](const Tensor& t) { return tanh(t) * v; }, v * 2)).backward();
         return Tensors{v.grad()};
       })},
      {"CustomOp", value([] {
         w.zero_grad();
         sum(cube(w)).backward();
         return Tensors{w.grad()};
       })},
      {"a new CustomOp", value([] {
         const CustomOp op({.name = "twice",
                            .forward = [k = std::array<double, 9>{2}](const Tensors& in) { return in[0] * k[0]; },
                            .vjp = {}});
         return Tensors{op(x)};
       })},
      {"a model", value([] {
         manual_seed(3);
         Net net(5, 7, 3);
         const Net copy = net;
         const optim::Adam adam(nn::parameters(net));
         return Tensors{copy(ones({4, 5})), net.output.bias};
       })},
      {"Sequential", value([] {
         manual_seed(3);
         nn::Sequential net(nn::Linear(5, 4), nn::ReLU{}, nn::Linear(4, 2));
         nn::Sequential copy = net;
         copy = net;
         return Tensors{copy(ones({4, 5}))};
       })},
      {"numbers and text", value([] {
         const Parameter p = parameter({{1.0, 2.0}, {3.0, 4.0}});
         const std::string numbers_shown = to_string(p * 2.0), record_shown = tape(sum(p * 2.0));
         const std::vector<double> numbers = p.value().to_vector<double>();
         return Tensors{p.value(), tensor(numbers)};
       })},
      {"made data", value([] {
         const data::Dataset d = data::shuffled(data::spirals({.seed = 3}), 4);
         return Tensors{d.inputs, d.labels};
       })},
      {"a table", value([size = std::vector<std::string>{"size"}, kind = std::vector<std::string>{"kind"}] {
         const data::Table t = data::parse_csv("size,kind\n1.5,b\n?,a\n4,\"c, d\"\n2,a\n");
         const data::Table::Categories kinds = t.complete().categories("kind");
         return Tensors{t.numbers(size, f64), kinds.codes, kinds.one_hot(), full({}, t.except(kind).size())};
       })},
      {"parts of data", value([] {
         const data::Dataset d = data::friedman({.rows = 12, .features = 5, .seed = 3});
         const data::Dataset classes{d.inputs, remainder(arange(12), 3)};
         const data::Split s = data::split_random(classes, {.stratified = true, .seed = 1});
         return Tensors{s.train.inputs, s.test.labels, data::k_fold(classes, {.folds = 3, .seed = 2})[1].test.inputs,
                        data::standardiser(d.inputs)(d.inputs)};
       })},
      {"text as numbers", value([] {
         const data::Vocabulary letters = data::Vocabulary::characters("a rose is a rose"),
                                words = data::Vocabulary::words("a rose is a rose, and no tulip", {.min_count = 2, .unknown = "<unk>"});
         const Tensor codes = letters.encode("a rose");
         return Tensors{words.encode("is a rose a tulip"), data::windows(codes, {.length = 2}).labels, full({}, letters.decode(codes).size())};
       })},
      {"losses of labels", value([] {
         const Tensor x = watch(reshape(arange(30), {5, 2, 3}) / 10.0), lists = tensor({{1, 2, -1}, {0, -1, 0}});
         const Tensor ctc = nn::ctc_loss(log_softmax(x, -1), tensor({1, 2, 1}), tensor({5, 4}), tensor({2, 1}));
         const Tensor y = ctc + nn::multilabel_margin_loss(x[0], lists) + nn::multi_margin_loss(x[1], tensor({2, 0}));
         return Tensors{y, grad(y, x)[0]};
       })},
      {"metrics", value([] {
         const Tensor scores = reshape(remainder(arange(12) * 7, 5), {4, 3}), classes = tensor({0, 2, 1, 1});
         nn::metrics::F1 f1;
         nn::metrics::RocAuc auc;
         nn::metrics::R2 r2;
         nn::metrics::Accuracy accuracy{.top_k = 2};
         f1.update(cast(scores, f64), classes);
         accuracy.update(cast(scores, f64), classes);
         auc.update(tensor({0.1, 0.7, 0.3, 0.3}), tensor({0, 1, 1, 0}));
         r2.update(tensor({0.1, 0.7, 0.3, 0.3}), tensor({0.0, 1.0, 0.5, 0.25}));
         return Tensors{full({}, f1.value() + auc.value() + r2.value() + accuracy.value()), f1.seen.value()};
       })},
      {"initialisers", value([] {
         manual_seed(6);
         Parameter a(zeros({4, 3})), b(zeros({4, 2, 3}));
         nn::init::trunc_normal(a);
         const Tensor first = a.value();
         nn::init::orthogonal(a);
         nn::init::dirac(b);
         return Tensors{first, a.value(), b.value()};
       })},
      {"a model in f64", value([] {
         manual_seed(3);
         Net net(5, 7, 3);
         nn::cast(net, f64);
         const std::string table = nn::summary(net, ones({2, 5}, f64));  // where names of types find no memory, mangled ones
         return Tensors{net(ones({4, 5}, f64)), full({}, table.find("66 parameters") != std::string::npos)};
       })},
      {"saving a model", [] {
         manual_seed(8);
         return std::make_unique<SaveModel>();
       }},
      {"loading a model", [] {
         manual_seed(8);
         return std::make_unique<LoadModel>();
       }},
      {"saving an optimizer", [] {
         manual_seed(8);
         return std::make_unique<SaveOptimizer>();
       }},
      {"loading an optimizer", [] {
         manual_seed(8);
         return std::make_unique<LoadOptimizer>();
       }},
      {"an epoch", value([] {
         data::DataLoader loader({reshape(arange(60), {20, 3}), arange(20)}, {.batch_size = 6, .shuffle = true, .seed = 3});
         Tensors got;
         for (const auto& batch : loader) got.push_back(batch[0]), got.push_back(batch[1]);
         return got;
       })},
  };
  // clang-format on
}

// oneDNN's OpenMP ends the process where it finds no memory for what a thread's first product needs.
bool takes_openmp(const Kind& kind) { return std::string(kind.name).find("large products") != std::string::npos; }

// act(), where the n-th request fails. Gives what the Error says; "" where there was none.
std::string attempt(Trial& trial, long n, bool on, bool& failed) {
  std::string what;
  {
    const memory_hooks::Nth nth(n, on);
    try {
      trial.act();
    } catch (const Error& e) {
      memory_hooks::left = -1;
      what = e.what();
    } catch (const std::exception& e) {
      memory_hooks::left = -1;
      what = fmt::format("another exception: {}", e.what());
    }
  }
  failed = memory_hooks::failed;
  return what;
}

void fails_well(const Kind& kind, bool on, bool on_new_threads) {
  const std::string context =
      fmt::format("{}{}{}", kind.name, on ? ", and all after it" : "", on_new_threads ? ", on new threads" : "");
  std::unique_ptr<Trial> trial = kind.make();
  {
    const std::unique_ptr<Trial> other = kind.make();
    other->act();
  }
  const std::unique_ptr<Trial> other = kind.make();
  other->act();
  const std::string want = bytes_of(other->look());
  const auto record = [] {
    const Counters c = counters();
    return std::array<std::uint64_t, 2>{c.taped, c.pending};
  };
  std::string before = bytes_of(trial->look());
  bool failed = true;
  long n = 0, without = 0;
  for (; failed && n < 20'000; ++n) {
    const std::string at = fmt::format("{}, request {}", context, n);
    std::string what;
    const auto state = record();
    const auto act = [&] { what = attempt(*trial, n, on, failed); };
    if (on_new_threads) std::thread(act).join();
    else act();
    const std::string after = bytes_of(trial->look());
    BOOST_TEST_REQUIRE(!what.starts_with("another"), at << ": " << what);
    BOOST_TEST_REQUIRE((failed || what.empty()), at << ": " << what);
    BOOST_TEST_REQUIRE((after == (what.empty() ? want : before)), at << ": other numbers; " << what);
    if (!on_new_threads && !what.empty()) BOOST_TEST_REQUIRE((record() == state), at << ": a record is left: " << what);
    if (failed && what.empty()) {  // it could do without
      ++without;
      trial = kind.make();
      before = bytes_of(trial->look());
    }
  }
  BOOST_TEST_MESSAGE(context << ": " << n - 1 << " requests, " << without << " could be done without");
}

}  // namespace

BOOST_AUTO_TEST_CASE(one_request_fails) {
  for (const Kind& kind : kinds()) fails_well(kind, false, false);
}
BOOST_AUTO_TEST_CASE(all_requests_fail_from_one_on) {
  for (const Kind& kind : kinds()) fails_well(kind, true, false);
}
BOOST_AUTO_TEST_CASE(one_request_of_a_new_thread_fails) {
  for (const Kind& kind : kinds())
    if (!takes_openmp(kind)) fails_well(kind, false, true);
}
BOOST_AUTO_TEST_CASE(all_requests_of_a_new_thread_fail) {
  for (const Kind& kind : kinds())
    if (!takes_openmp(kind)) fails_well(kind, true, true);
}

// A thread's first act with the library, whatever it is: an Error, or no harm; and the thread may try again.
BOOST_AUTO_TEST_CASE(a_thread_that_starts_without_memory) {
  Parameter w = parameter(randn({300}));
  const std::function<void(Tensors&)> firsts[] = {
      [](Tensors&) { rand({3}); },
      [](Tensors&) { const NoGrad no_grad; },
      [](Tensors&) { const Eager eager; },
      [](Tensors&) { const Located at(Source::here()); },
      [](Tensors&) { manual_seed(3); },
      [](Tensors&) { counters(); },
      [](Tensors&) { release_memory(); },
      [&](Tensors&) { evaluate(w * 2); },
      [&](Tensors&) { sum(w * w).backward({.keep_graph = true}); },
      [](Tensors& held) { held = Tensors(); },  // lets go of what others made: that cannot fail
      [](Tensors& held) { const Tensors copies = held; },
  };
  // Threads that are alive hold all states, so that each new one needs its own.
  for (std::size_t k = 0; k < std::size(firsts); ++k)
    for (const bool on : {false, true})
      for (long n = 0;; ++n) {
        Tensors held;
        for (int i = 0; i < 40; ++i) held.push_back(i % 2 ? evaluate(randn({100})) : w * 2.0f);
        bool failed = false, right = true;
        std::string what;
        std::thread([&] {
          {
            const memory_hooks::Nth nth(n, on);
            try {
              firsts[k](held);
            } catch (const Error& e) {
              memory_hooks::left = -1;
              what = e.what();
            } catch (const std::exception&) {
              right = false;
            }
            failed = memory_hooks::failed;
          }
          try {
            right &= sum(ones({3}) * 2).item() == 6;
          } catch (...) {
            right = false;
          }
        }).join();
        BOOST_TEST_REQUIRE(right, "first act " << k << ", request " << n << ": " << what);
        if (!failed) break;
      }
  BOOST_TEST((w + 1.0f).numel() == 300);
}

#if !MEMORY_HOOKS_SANITIZED
// Where nothing can be had at all, an op does not hang and does not crash.
BOOST_AUTO_TEST_CASE(letting_go_takes_no_memory) {
  std::vector<Tensor> held;
  for (int i = 0; i < 3000; ++i) held.push_back(evaluate(full({2}, i)));
  Parameter w = parameter(1.0);
  Tensor chain = w * 1.0;
  for (int i = 0; i < 20'000; ++i) chain = chain * w;
  long taken = -1;
  std::thread([&] {
    const memory_hooks::Nth nth(0, true);
    held.clear();
    taken = memory_hooks::failed;
  }).join();
  {
    const memory_hooks::Nth nth(0, true);
    chain = Tensor();
    rand({2});
    BOOST_TEST(!memory_hooks::failed);
  }
  BOOST_TEST(counters().taped <= 1u);
}
#endif
