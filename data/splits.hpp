// Parts of a dataset: to train on and to test, at random, with the classes in proportion, and one after the other.
#pragma once

#include <type_traits>
#include <vector>

#include <xgrad/data/dataset.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

// The rows that a vector of i64 names, in its order.
Dataset rows(const Dataset& whole, const Tensor& index, Source source = Source::here());

struct SplitOptions {
  double train = 0.8;                      // the part of the rows, between 0 and 1
  bool stratified = false;                 // each class (i64 labels [n]) by that part, to within a row
  std::optional<std::uint64_t> seed = {};  // without it from the thread's generator
};
// In a random order. The first part has round(train n) rows.
Split split_random(const Dataset& whole, SplitOptions options = {}, Source source = Source::here());

struct FoldOptions {
  Size folds = 5;
  bool shuffle = true;      // else rows are taken in their order
  bool stratified = false;  // each fold has its part of each class, to within a row
  std::optional<std::uint64_t> seed = {};
};
// For each fold a Split: `test` is the fold, of n / folds rows or one more, and `train` all others.
std::vector<Split> k_fold(const Dataset& whole, FoldOptions options = {}, Source source = Source::here());

// The same of any number of tensors with a row for each example, as a DataLoader takes them: several inputs, and labels last.
struct Parts {
  Tensors train, test;
};
Tensors rows_of(const Tensors& whole, const Tensor& index, Source source = Source::here());
Parts split_random_of(const Tensors& whole, SplitOptions options = {}, Source source = Source::here());
std::vector<Parts> k_fold_of(const Tensors& whole, FoldOptions options = {}, Source source = Source::here());
// Under the names that they have of a Dataset; templates, because braces, split_random({x, y}), are one.
template <class T, class = std::enable_if_t<std::is_same_v<T, Tensors>>>
Tensors rows(const T& whole, const Tensor& index, Source source = Source::here()) {
  return rows_of(whole, index, source);
}
template <class T, class = std::enable_if_t<std::is_same_v<T, Tensors>>>
Parts split_random(const T& whole, SplitOptions options = {}, Source source = Source::here()) {
  return split_random_of(whole, options, source);
}
template <class T, class = std::enable_if_t<std::is_same_v<T, Tensors>>>
std::vector<Parts> k_fold(const T& whole, FoldOptions options = {}, Source source = Source::here()) {
  return k_fold_of(whole, options, source);
}

}  // namespace xgrad::data

#pragma GCC visibility pop
