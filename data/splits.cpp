#include <xgrad/data/splits.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <new>
#include <numeric>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/data/random.hpp>
#include "data/checks.hpp"

namespace xgrad::data {
namespace {

using Rows = std::vector<Size>;

// Fisher and Yates; Durstenfeld 1964
void shuffle(Rows& rows, Random& random) {
  for (auto i = static_cast<Size>(rows.size()); i-- > 1;)
    std::swap(rows[static_cast<std::size_t>(i)], rows[static_cast<std::size_t>(random.below(i + 1))]);
}

Rows in_order(Size n) {
  Rows rows(static_cast<std::size_t>(n));
  std::iota(rows.begin(), rows.end(), Size{0});
  return rows;
}

// The rows of each class, in their order.
std::vector<Rows> by_class(const char* op, const Dataset& whole, const Rows& order, Source source) {
  if (whole.labels.dtype() != i64 || whole.labels.dim() != 1)
    fail(source.named(op), "expected i64 labels [n] to stratify by, got {} {}", name(whole.labels.dtype()),
         whole.labels.shape());
  const Rows labels = whole.labels.to_vector<Size>();
  std::map<Size, Rows> classes;
  for (const Size row : order) classes[labels[static_cast<std::size_t>(row)]].push_back(row);
  std::vector<Rows> list;
  list.reserve(classes.size());
  for (auto& [label, rows] : classes) list.push_back(std::move(rows));
  return list;
}

// How many of each class: part n_c, rounded so that the sum is `all`: those with the greatest remainders get one more.
std::vector<Size> shares(const std::vector<Rows>& classes, double part, Size all) {
  std::vector<Size> share;
  std::vector<std::pair<double, std::size_t>> rest;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const double exact = part * static_cast<double>(classes[c].size());
    share.push_back(static_cast<Size>(exact));
    rest.push_back({std::floor(exact) - exact, c});
  }
  std::stable_sort(rest.begin(), rest.end());
  Size given = std::accumulate(share.begin(), share.end(), Size{0});
  for (std::size_t i = 0; given < all && i < rest.size(); ++i, ++given) ++share[rest[i].second];
  return share;
}

Split parts(const Dataset& whole, const Rows& train, const Rows& test, Source source) {
  return {.train = rows(whole, tensor(train), source), .test = rows(whole, tensor(test), source)};
}

}  // namespace

Dataset rows(const Dataset& whole, const Tensor& index, Source source) {
  const Located at(source, "rows");
  checked_rows("rows", whole, source);
  return {index_select(whole.inputs, 0, index), index_select(whole.labels, 0, index)};
}

Split split_random(const Dataset& whole, SplitOptions options, Source source) try {
  constexpr const char* op = "split_random";
  const Size n = checked_rows(op, whole, source);
  if (!(options.train >= 0 && options.train <= 1))
    fail(source.named(op), "expected a part of the rows between 0 and 1, got {}", options.train);
  Random random = Random::from(options.seed);
  Rows order = in_order(n);
  shuffle(order, random);
  const Size count = std::llround(options.train * static_cast<double>(n));
  Rows train(order.begin(), order.begin() + count), test(order.begin() + count, order.end());
  if (options.stratified) {
    const std::vector<Rows> classes = by_class(op, whole, order, source);
    const std::vector<Size> share = shares(classes, options.train, count);
    train.clear();
    test.clear();
    for (std::size_t c = 0; c < classes.size(); ++c) {
      train.insert(train.end(), classes[c].begin(), classes[c].begin() + share[c]);
      test.insert(test.end(), classes[c].begin() + share[c], classes[c].end());
    }
    shuffle(train, random);
    shuffle(test, random);
  }
  return parts(whole, train, test, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "split_random");
}

std::vector<Split> k_fold(const Dataset& whole, FoldOptions options, Source source) try {
  constexpr const char* op = "k_fold";
  const Size n = checked_rows(op, whole, source), folds = options.folds;
  if (folds < 2 || folds > n)
    fail(source.named(op), "expected 2 ... {} folds, one for each row at most, got {}", n, folds);
  Rows order = in_order(n);
  if (options.shuffle) {
    Random random = Random::from(options.seed);
    shuffle(order, random);
  }
  std::vector<Size> fold_of(static_cast<std::size_t>(n));
  if (options.stratified) {  // dealt like cards, class after class
    Size next = 0;
    for (const Rows& of_class : by_class(op, whole, order, source))
      for (const Size row : of_class) fold_of[static_cast<std::size_t>(row)] = next++ % folds;
  } else {
    for (Size i = 0; i < n; ++i)  // the first n % folds have one more
      fold_of[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] =
          i < (n % folds) * (n / folds + 1) ? i / (n / folds + 1) : (i - n % folds) / (n / folds);
  }
  std::vector<Split> list;
  for (Size fold = 0; fold < folds; ++fold) {
    Rows train, test;
    for (const Size row : order) (fold_of[static_cast<std::size_t>(row)] == fold ? test : train).push_back(row);
    list.push_back(parts(whole, train, test, source));
  }
  return list;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "k_fold");
}

}  // namespace xgrad::data
