// A metric, as fit takes it.
#pragma once

#include <optional>
#include <string>
#include <typeinfo>
#include <utility>

#include <xgrad/autodiff/pointers.hpp>
#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::training {

// A name, and one of nn::metrics, or any struct that has update(outputs, targets), a value() that is a number, and reset(). One
// whose update is called with (const Tensors& outputs, const Tensors& batch) sees all of both. One that is monitored says which
// way is better: `bool greater_is_better = true;` in its struct. A value: a copy counts by itself.
class Metric {
 public:
  template <class M>
  Metric(std::string name, M metric) : name_(std::move(name)), greater_is_better_(better(metric)) {
    if constexpr (fits<M>()) held_ = engine::Own<Held>(new Of<M>(std::move(metric)));
  }
  Metric(const Metric& other)
      : name_(other.name_), greater_is_better_(other.greater_is_better_), held_(other.held().clone()) {}
  Metric(Metric&&) noexcept = default;
  Metric& operator=(const Metric& other) { return *this = Metric(other); }
  Metric& operator=(Metric&&) noexcept = default;

  const std::string& name() const { return name_; }
  // As its `greater_is_better` says; none where it has none: then it is not monitored.
  std::optional<bool> greater_is_better() const { return greater_is_better_; }
  // `inputs`: how many of the batch the model takes; the target is the next.
  void update(const Tensors& outputs, const Tensors& batch, Size inputs, Source source = Source::here()) {
    held().update(outputs, batch, inputs, source);
  }
  double value() const { return held().value(); }
  void reset() { held().reset(); }

 private:
  struct Held {
    virtual ~Held() = default;
    virtual engine::Own<Held> clone() const = 0;
    virtual void update(const Tensors& outputs, const Tensors& batch, Size inputs, Source source) = 0;
    virtual double value() const = 0;
    virtual void reset() = 0;
  };
  template <class M>
  struct Of final : Held {
    explicit Of(M m) : metric(std::move(m)) {}
    engine::Own<Held> clone() const override { return engine::Own<Held>(new Of(metric)); }
    void update(const Tensors& outputs, const Tensors& batch, Size inputs, Source source) override {
      if constexpr (requires { metric.update(outputs, batch); }) metric.update(outputs, batch);
      else if constexpr (requires { metric.update(In(outputs[0], source), In(batch[0], source)); })
        metric.update(In(outputs[0], source), In(target(batch, inputs, source), source));
      else metric.update(outputs[0], target(batch, inputs, source));
    }
    double value() const override { return static_cast<double>(metric.value()); }
    void reset() override { metric.reset(); }
    M metric;
  };
  template <class M>
  static constexpr bool fits() {
    constexpr bool whole = requires(M & m) {
      static_cast<double>(m.value());
      m.reset();
    };
    static_assert(whole, "a metric is a struct with update(outputs, targets), a value() that is a number, and reset()");
    return whole;
  }
  template <class M>
  static std::optional<bool> better(const M& m) {
    if constexpr (requires { static_cast<bool>(m.greater_is_better); }) return static_cast<bool>(m.greater_is_better);
    else return {};
  }
  static const Tensor& target(const Tensors& batch, Size inputs, Source source);
  [[noreturn]] static void fail_moved_from();
  Held& held() const {
    if (!held_) fail_moved_from();
    return *held_;
  }

  std::string name_;
  std::optional<bool> greater_is_better_;
  engine::Own<Held> held_;
};

}  // namespace xgrad::training

#pragma GCC visibility pop
