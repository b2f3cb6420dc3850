// A loss, as fit takes it.
#pragma once

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {
struct CrossEntropyOptions;
struct NllOptions;
struct BinaryCrossEntropyOptions;
}  // namespace xgrad::nn

namespace xgrad::training {

template <class F>
constexpr bool has_options = false;  // a loss of nn: (prediction, target, options)
template <class Options>
constexpr bool has_options<Tensor (*)(In, In, Options)> = true;

// One of nn's (nn::mse_loss, with its options as they are), or a function of the model's outputs and the targets, or of the
// outputs and the whole batch:  [](const Tensor& y, const Tensors& batch) { return mean(batch[2] * square(y - batch[1])); }
// Of a model of several outputs:  [](const Tensors& y, const Tensors& batch) { ... }
class Loss {
 public:
  Loss() = default;  // none
  template <class Options>
  Loss(Tensor (*loss)(In, In, Options), Source at = Source::here())
      : of_target_([loss, at](const Tensor& outputs, const Tensor& target) {
          return loss(In(outputs, at), In(target, at), {});
        }),
        of_classes_(std::is_same_v<std::decay_t<Options>, nn::CrossEntropyOptions> ||
                    std::is_same_v<std::decay_t<Options>, nn::NllOptions>),
        of_logits_(std::is_same_v<std::decay_t<Options>, nn::BinaryCrossEntropyOptions>) {}
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, Loss> && !has_options<std::decay_t<F>>) Loss(F&& f) {
    constexpr bool of_target = std::is_invocable_r_v<Tensor, std::decay_t<F>&, const Tensor&, const Tensor&>;
    if constexpr (of_target) {
      of_target_ = std::forward<F>(f);
    } else if constexpr (std::is_invocable_r_v<Tensor, std::decay_t<F>&, const Tensor&, const Tensors&>) {
      of_batch_ = std::forward<F>(f);
    } else {
      static_assert(
          std::is_invocable_r_v<Tensor, std::decay_t<F>&, const Tensors&, const Tensors&>,
          "a loss is called with (const Tensor& outputs, const Tensor& targets), or with (const Tensor& outputs, "
          "const Tensors& batch), and gives a Tensor; of several outputs it takes (const Tensors&, const Tensors&)");
      of_outputs_ = std::forward<F>(f);
    }
  }

  explicit operator bool() const noexcept { return of_target_ || of_batch_ || of_outputs_; }
  // Is it known to be of i64 classes, of which -100 are left out; or of binary logits?
  bool of_classes() const noexcept { return of_classes_ || !*this; }
  bool of_logits() const noexcept { return of_logits_; }
  bool needs_target() const noexcept { return of_target_ || !*this; }
  // `inputs`: how many of the batch the model takes; the target is the next.
  Tensor operator()(const Tensor& outputs, const Tensors& batch, Size inputs, Source source = Source::here()) const;
  Tensor operator()(const Tensors& outputs, const Tensors& batch, Size inputs, Source source = Source::here()) const;

 private:
  Callable<Tensor(const Tensor& outputs, const Tensor& target)> of_target_;  // or
  Callable<Tensor(const Tensor& outputs, const Tensors& batch)> of_batch_;   // or
  Callable<Tensor(const Tensors& outputs, const Tensors& batch)> of_outputs_;
  bool of_classes_ = false, of_logits_ = false;
};

// The one tensor of a batch that follows the inputs; an Error where more do.
const Tensor& target_of(const Tensors& batch, Size inputs, Source source);

}  // namespace xgrad::training

#pragma GCC visibility pop
