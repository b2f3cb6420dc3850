// What failing_memory_test tries, a file a subject.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <xgrad/autodiff.hpp>

namespace failing_memory {

using namespace xgrad;

// Something that takes memory, on objects of its own.
struct Trial {
  virtual ~Trial() = default;
  virtual void act() = 0;
  virtual Tensors look() = 0;  // what act() changes, and nothing may change that fails
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

using Make = std::function<std::unique_ptr<Trial>()>;
struct Kind {
  const char* name;
  Make make;
};

inline Make value(std::function<Tensors()> f) {
  return [f = std::move(f)] { return std::make_unique<Value>(f); };
}
std::vector<Kind> data_kinds();
std::vector<Kind> derivative_kinds();
std::vector<Kind> model_kinds();
std::vector<Kind> op_kinds();
std::vector<Kind> optimizer_kinds();

}  // namespace failing_memory
