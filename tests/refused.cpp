// Programs that do not compile; the first error says why. refused.cmake compiles each with its name defined.
#include "refused.hpp"

// clang-format off
using namespace xgrad;

struct NotConst {
  Tensor count = zeros({});
  Tensor operator()(const Tensor& x) {
    count = count + 1;
    return x;
  }
  XGRAD_FIELDS(count)
};
struct NoFields {
  nn::Linear layer{2, 2};
  Tensor operator()(const Tensor& x) const { return layer(x); }
};
struct Plain {
  nn::Linear layer{2, 2};
  Tensor operator()(const Tensor& x) const { return layer(x); }
  XGRAD_FIELDS(layer)
};
struct Derived : Plain {
  nn::Linear more{2, 2};
};
struct Base {
  virtual ~Base() = default;
  nn::Linear layer{2, 2};
  XGRAD_FIELDS(layer)
};
struct OfABase {
  std::unique_ptr<Base> branch;
  XGRAD_FIELDS(branch)
};
struct WithoutOrder {
  std::unordered_map<std::string, nn::Linear> heads;
  XGRAD_FIELDS(heads)
};
struct WithPointer {
  nn::Linear* layer = nullptr;
  XGRAD_FIELDS(layer)
};
struct WithNumber {
  int n = 3;
  XGRAD_FIELDS(n)
};

int main() {
  Tensor w = ones({2});
  Plain net;
  optim::SGD optimizer(nn::parameters(net));
  data::DataLoader batches({w, w});
  (void)batches;
#if defined(nothing)  // compiles
  nn::Sequential layers{nn::Linear(2, 2), net};
#elif defined(layer_not_const)  // operator() of a layer is const: write
  nn::Sequential layers{nn::Linear(2, 2), NotConst{}};
#elif defined(layer_alone_not_const)  // operator() of a layer is const: write
  nn::Layer layer = NotConst{};
#elif defined(mutable_lambda)  // operator() of a layer is const: write
  nn::Sequential layers{[n = 0](const Tensor& x) mutable { return x + n++; }};
#elif defined(number_for_a_layer)  // a layer is called with one tensor and gives one
  nn::Sequential layers{nn::Linear(2, 2), 3};
#elif defined(layer_of_two)  // a layer is called with one tensor and gives one
  nn::Sequential layers{[](const Tensor& x, const Tensor& y) { return x + y; }};
#elif defined(lambda_that_holds_tensors)  // or XGRAD_FIELDS() where it has none; a lambda may capture numbers and references
  nn::Sequential layers{[w](const Tensor& x) { return x * w; }};
#elif defined(layer_without_fields)  // this part of a model has no public XGRAD_FIELDS line
  nn::Sequential layers{NoFields{}};
#elif defined(parameters_without_fields)  // this part of a model has no public XGRAD_FIELDS line
  NoFields model;
  nn::parameters(model);
#elif defined(derived_without_a_line)  // a struct derived from a layer adds fields, but has no XGRAD_FIELDS line of its own
  Derived model;
  nn::parameters(model);
#elif defined(pointer_to_a_base)  // a pointer to a base class shows the base's fields alone
  OfABase model;
  nn::parameters(model);
#elif defined(map_without_an_order)  // this part of a model has no public XGRAD_FIELDS line
  WithoutOrder model;
  nn::parameters(model);
#elif defined(pointer_in_fields)  // a walk does not follow a plain pointer
  WithPointer model;
  nn::parameters(model);
#elif defined(metric_without_a_value)  // a metric is a struct with update(outputs, targets), a value() that is a number, and reset()
  training::Metric metric("three", 3);
#elif defined(batch_that_is_no_struct)  // a batch is an aggregate of one to eight Tensors
  data::LoaderOf<int> loader({w, w});
#elif defined(batch_of_eight)  // compiles
  struct Row { Tensor a, b, c, d, e, f, g, h; };
  data::LoaderOf<Row> loader({w, w, w, w, w, w, w, w});
#elif defined(batch_of_an_array)  // compiles
  struct Row { Tensor a, rest[3]; };
  data::LoaderOf<Row> loader({w, w, w, w});
#elif defined(batch_of_nine)  // a batch is an aggregate of one to eight Tensors
  struct Row { Tensor a, b, c, d, e, f, g, h, i; };
  data::LoaderOf<Row> loader({w, w, w, w, w, w, w, w});
#elif defined(batch_with_a_number)  // a batch is an aggregate of one to eight Tensors and of nothing else
  struct Row { Tensor user, item; double rating; };
  data::LoaderOf<Row> loader({w, w});
#elif defined(batch_with_a_number_between)  // a batch is an aggregate of one to eight Tensors and of nothing else
  struct Row { Tensor user; double rating = 1; Tensor item; };
  data::LoaderOf<Row> loader({w});
#elif defined(batch_with_a_text)  // a batch is an aggregate of one to eight Tensors and of nothing else
  struct Row { Tensor user; std::string name; };
  data::LoaderOf<Row> loader({w});
#elif defined(number_in_fields)  // XGRAD_FIELDS names parameters, buffers and layers
  WithNumber model;
  nn::parameters(model);
#elif defined(const_model)  // this needs a model that it may change: this one is const
  const Plain model;
  nn::parameters(model);
#elif defined(temporary_model)  // this needs a model that stays: give it a name
  nn::parameters(Plain{});
#elif defined(fit_no_model)  // a model is called with one, two or three tensors, and gives one
  training::fit(3, optimizer, batches);
#elif defined(loss_of_one)  // a loss is called with (const Tensor& outputs, const Tensor& targets)
  training::fit(net, optimizer, batches, {.loss = [](const Tensor& y) { return mean(y); }});
#elif defined(schedule_copied)  // use of deleted function
  const optim::StepLR schedule(optimizer, {.every = 1});
  const optim::StepLR copy = schedule;
#elif defined(options_for_a_kernel)  // no matching function for call to ‘xgrad::nn::Conv2d::Conv2d
  nn::Conv2d layer(3, 8, {.stride = 2});
#elif defined(options_for_padding)  // designated initializers cannot be used with a non-aggregate type
  nn::ConvOptions options{.padding = {.all = 2}};
#elif defined(options_for_a_window)  // invalid initialization of reference of type ‘const xgrad::Shape&’
  max_pool2d(w, {.stride = 3});
#elif defined(options_for_axes)  // invalid initialization of reference of type ‘const xgrad::Axes&’
  var(w, {.correction = 0});
#elif defined(max_of_a_tensor)  // the greatest number is amax(x), the greater of two tensors maximum(x, y)
  max(w);
#elif defined(min_of_two)  // the least number is amin(x), the lesser of two tensors minimum(x, y)
  min(parameter(w), 1.0);
#elif defined(slice_assigned)  // passing ‘xgrad::Tensor’ as ‘this’ argument discards qualifiers
  w[0] = ones({});
#endif
}
// clang-format on
