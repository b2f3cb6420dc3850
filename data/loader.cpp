#include <xgrad/data/loader_of.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <vector>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include "data/checks.hpp"

namespace xgrad::data {

void fields::check_count(std::size_t count, std::size_t tensors, Source source) {
  if (count != tensors)
    fail(source.named("LoaderOf"), "expected {} tensors, one for each field, got {}", count, tensors);
}

struct Order {
  std::vector<Size> rows;
  std::atomic<int> refs{1};
};
void retain(Order* order) noexcept { order->refs.fetch_add(1, std::memory_order_relaxed); }
void release(Order* order) noexcept {
  if (order->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete order;
}

DataLoader::DataLoader(const Tensors& tensors, DataLoaderOptions options, Source source)
    : options_(options), source_(source.named("DataLoader")), first_(0), random_(first_) {
  if (tensors.empty()) fail(source_, "expected one tensor or more, got none");
  if (options.batch_size < 1) fail(source_, "expected a batch_size of 1 or more, got {}", options.batch_size);
  for (const Tensor& t : tensors) {
    if (t.dim(source_) == 0) fail(source_, "expected tensors with rows, got a 0-d one");
    if (tensors_.empty()) rows_ = t.size(0);
    if (t.size(0) != rows_) fail(source_, "expected one number of rows, got {} and {}", rows_, t.size(0));
    tensors_.push_back(contiguous(t.detach(source_), source_));
  }
  if (options.shuffle) random_ = first_ = Random::from(options.seed);
}

// A pass draws a number for each row but one.
void DataLoader::set_epoch(Size epoch, Source source) {
  if (tensors_.empty()) fail(source.named("set_epoch"), "this loader was moved from; use the one it was moved to");
  if (epoch < 0) fail(source.named("set_epoch"), "expected an epoch of 0 or more, got {}; the first is 0", epoch);
  random_ = first_;
  if (rows_ > 1) random_.skip(static_cast<std::uint64_t>(epoch) * static_cast<std::uint64_t>(rows_ - 1));
}

Size DataLoader::size() const {
  const Size full = rows_ / options_.batch_size;
  return full + (!options_.drop_last && rows_ % options_.batch_size != 0);
}

// Fisher and Yates; Durstenfeld 1964
DataLoader::Iterator DataLoader::begin() const try {
  if (tensors_.empty()) fail(source_, "this loader was moved from; use the one it was moved to");
  if (!options_.shuffle) return Iterator(this, 0, {});
  if (!order_ || order_->refs.load(std::memory_order_acquire) != 1)
    or_no_memory(source_, fmt::format("an order of {} rows", rows_),
                 [&] { order_ = engine::Ref<Order>(new Order{std::vector<Size>(static_cast<std::size_t>(rows_))}); });
  const Random before = random_;
  std::vector<Size>& order = order_->rows;
  std::iota(order.begin(), order.end(), Size{0});
  for (Size i = rows_; i-- > 1;)
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(random_.below(i + 1))]);
  try {
    return Iterator(this, 0, order_);
  } catch (...) {  // the next try gets the same order
    random_ = before;
    throw;
  }
} catch (const std::bad_alloc&) {
  fail_no_memory(source_, "DataLoader");
}

DataLoader::Iterator::Iterator(const DataLoader* loader, Size at, engine::Ref<Order> order)
    : loader_(loader), at_(at), order_(std::move(order)) {
  if (at_ < loader_->size()) batch_ = loader_->batch(at_, order_.get());
}

DataLoader::Iterator& DataLoader::Iterator::operator++() {
  batch_ = Tensors();  // its memory serves the next
  if (at_ + 1 < loader_->size()) batch_ = loader_->batch(at_ + 1, order_.get());
  ++at_;
  return *this;
}

Tensors DataLoader::batch(Size at, const Order* order) const {
  const Located here(source_, "DataLoader");
  const Size from = at * options_.batch_size, to = std::min(rows_, from + options_.batch_size);
  Tensors batch;
  for (const Tensor& t : tensors_) {
    if (!order) {
      batch.push_back(slice(t, 0, from, to));
      continue;
    }
    Shape shape = t.shape();
    shape[0] = to - from;
    const auto row = static_cast<std::size_t>(rows_ > 0 ? t.numel() / rows_ * item_size(t.dtype()) : 0);
    const char* rows = static_cast<const char*>(readable(t));
    batch.push_back(filled(shape, t.dtype(), [&](void* memory) {
      char* out = static_cast<char*>(memory);
      for (Size i = from; i < to; ++i, out += row)
        std::memcpy(out, rows + static_cast<std::size_t>(order->rows[static_cast<std::size_t>(i)]) * row, row);
    }));
  }
  return batch;
}

}  // namespace xgrad::data
