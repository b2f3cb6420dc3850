#include <fmt/format.h>

#include <filesystem>
#include <string>

#include "step.hpp"
#include <xgrad/autodiff/safetensors.hpp>

namespace failing_memory {
namespace {

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

}  // namespace

std::vector<Kind> model_kinds() {
  // clang-format off
  return {
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
      {"a model in f64", value([] {
         manual_seed(3);
         Net net(5, 7, 3);
         nn::cast(net, f64);
         const std::string table = nn::summary(net, ones({2, 5}, f64));  // where names of types find no memory, mangled ones
         return Tensors{net(ones({4, 5}, f64)), full({}, table.find("66 parameters") != std::string::npos)};
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
  };
  // clang-format on
}

}  // namespace failing_memory
