// LoaderOf: a DataLoader whose batches are a struct of yours.
#pragma once

#include <utility>

#include <xgrad/data/loader.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

namespace fields {

struct AnyTensor {
  operator Tensor() const;
};
template <std::size_t>
using Any = AnyTensor;
template <class Row, std::size_t... i>
constexpr bool made_of(std::index_sequence<i...>) {
  return requires { Row{Any<i>()...}; };
}
template <class Row, std::size_t... i>
constexpr bool has_more_than(std::index_sequence<i...>) {
  return requires { Row{Any<i>()..., {}}; };
}
// How many Tensors the aggregate Row has: 8 at most. 0: it has more, or other fields.
template <class Row, std::size_t n = 8>
constexpr std::size_t count() {
  if constexpr (n == 0) return 0;
  else if constexpr (!made_of<Row>(std::make_index_sequence<n>())) return count<Row, n - 1>();
  else if constexpr (has_more_than<Row>(std::make_index_sequence<n>())) return 0;
  else return n;
}

void check_count(std::size_t fields, std::size_t tensors, Source source);

}  // namespace fields

// struct Row { Tensor user, item, rating; };  for (const Row& batch : data::LoaderOf<Row>({u, i, r}, {.batch_size = 64})) ...
// The tensors fill the fields in their order; as many as there are fields. Else it is the DataLoader that it has.
template <class Row>
class LoaderOf {
 public:
  static constexpr std::size_t width = fields::count<Row>();
  static_assert(
      width > 0,
      "a batch is an aggregate of one to eight Tensors and of nothing else: struct Row { Tensor user, item, rating; };");

  LoaderOf(const Tensors& tensors, DataLoaderOptions options = {}, Source source = Source::here())
      : batches_((fields::check_count(width, tensors.size(), source), tensors), options, source) {}

  Size size() const { return batches_.size(); }
  Size rows() const { return batches_.rows(); }
  const DataLoader& loader() const { return batches_; }  // as fit takes it
  void set_epoch(Size epoch, Source source = Source::here()) { batches_.set_epoch(epoch, source); }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Row;
    using difference_type = std::ptrdiff_t;
    using pointer = const Row*;
    using reference = Row;

    explicit Iterator(DataLoader::Iterator at) : at_(std::move(at)) {}
    Row operator*() const { return row(std::make_index_sequence<width>()); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    template <std::size_t... i>
    Row row(std::index_sequence<i...>) const {
      return Row{(*at_.operator->())[i]...};
    }
    DataLoader::Iterator at_;
  };
  Iterator begin() const { return Iterator(batches_.begin()); }
  Iterator end() const { return Iterator(batches_.end()); }

 private:
  DataLoader batches_;
};

}  // namespace xgrad::data

#pragma GCC visibility pop
