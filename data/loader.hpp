// DataLoader: rows of tensors, in batches, in a new order each epoch.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>

#include <xgrad/autodiff/pointers.hpp>
#include <xgrad/data/dataset.hpp>
#include <xgrad/data/random.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

struct Order;  // of the rows in one epoch
void retain(Order* order) noexcept;
void release(Order* order) noexcept;

struct DataLoaderOptions {
  Size batch_size = 32;
  bool shuffle = false;                    // a new order each epoch
  std::optional<std::uint64_t> seed = {};  // of the orders; without it from the thread's generator
  bool drop_last = false;                  // leave out a last batch that is not full
};

// for (const auto& batch : loader) ... batch[0], batch[1]: one epoch. Tensors of one number of rows (their first axis);
// a batch has the same rows of each. The same seed gives the same orders on every machine.
class DataLoader {
 public:
  DataLoader(const Tensors& tensors, DataLoaderOptions options = {}, Source source = Source::here());

  Size size() const;                   // batches an epoch
  Size rows() const { return rows_; }  // of all
  const DataLoaderOptions& options() const { return options_; }

  // The next pass has the order of pass number `epoch`, from 0, of a loader that was just made, and those after it go on from
  // there: for a run that is resumed. Without a `seed` the orders are of what was drawn when this loader was made.
  void set_epoch(Size epoch, Source source = Source::here());

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Tensors;
    using difference_type = std::ptrdiff_t;
    using pointer = const Tensors*;
    using reference = Tensors;

    Tensors operator*() const { return batch_; }  // by value: it outlives the iterator
    const Tensors* operator->() const { return &batch_; }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    friend class DataLoader;
    Iterator(const DataLoader* loader, Size at, engine::Ref<Order> order);
    const DataLoader* loader_;
    Size at_;                   // which batch
    engine::Ref<Order> order_;  // null: as they are
    Tensors batch_;
  };
  Iterator begin() const;  // of the next epoch; an Error where the loader was moved from
  Iterator end() const { return Iterator(this, size(), {}); }

 private:
  Tensors batch(Size at, const Order* order) const;
  Tensors tensors_;
  DataLoaderOptions options_;
  Source source_;  // where it was made: a step of an iterator has no line to name
  Size rows_ = 0;
  Random first_;                      // of pass 0
  mutable Random random_;             // of the next
  mutable engine::Ref<Order> order_;  // the last epoch's; its memory serves the next
};

}  // namespace xgrad::data

#pragma GCC visibility pop
