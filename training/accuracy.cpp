#include <fmt/format.h>

#include <algorithm>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/training/fit.hpp>
#include "training/hits.hpp"

namespace xgrad::training {

double accuracy_of_called(const Called& model, const data::Dataset& rows, const AccuracyOptions& options,
                          Source source) {
  const NoGrad no_grad;
  if (options.batch_size < 1)
    fail(source.named("accuracy"), "expected a batch_size of 1 or more, got {}", options.batch_size);
  if (!rows.inputs.defined() || !rows.labels.defined())
    fail(source.named("accuracy"), "of an empty dataset; give it rows first");
  if (rows.inputs.dim() == 0 || rows.labels.dim() == 0 || rows.inputs.size(0) != rows.labels.size(0))
    fail(source.named("accuracy"), "expected a label for each input, got inputs {} and labels {}", rows.inputs.shape(),
         rows.labels.shape());
  if (model.inputs != 1) fail(source.named("accuracy"), "expected a model of one input, got one of {}", model.inputs);
  const Size n = rows.labels.size(0);
  Hits all;
  for (Size from = 0; from < n; from += options.batch_size) {
    const Size to = std::min(n, from + options.batch_size);
    const Tensor outputs = model.call({slice(rows.inputs, 0, from, to)})[0], labels = slice(rows.labels, 0, from, to);
    if (!outputs.defined()) fail(source.named("accuracy"), "the model gave an empty tensor; return its outputs");
    const auto h = hits(outputs, labels, options.threshold, true, source);
    if (!h)
      fail(source.named("accuracy"),
           "expected outputs [n, classes] and i64 labels [n] of 0 ... classes - 1 (-100: left out), or one column and "
           "labels 0 or 1, got {} and {} {}{}",
           outputs.shape(), name(labels.dtype()), labels.shape(),
           labels.numel() > 0 ? fmt::format(" of {} ... {}", amin(labels).item(), amax(labels).item()) : "");
    all.right += h->right;
    all.of += h->of;
  }
  return all.of > 0 ? all.right / all.of : Epoch::none;
}

}  // namespace xgrad::training
